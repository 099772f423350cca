"""What functions say to operators: log lines, metrics, small answers; never a prompt and never an answer."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.functions.handled_job import (
    JOB,
    SECRET_CELL,
    SECRET_PROMPT,
    split,
    submitted,
    whole_job,
)
from tests.functions.lambdas import API_KEY, STATE, Functions
from tests.project import FUNCTIONS, event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # an error comes before they are counted


def test_answers_are_small(functions: Functions) -> None:
    """What goes back into the state machine's state is a few hundred bytes."""
    split(functions)
    assert len(json.dumps(submitted(functions))) < 500
    assert len(json.dumps(functions.invoke("close_job", event("close_job")))) < 400


def test_every_log_line_names_its_job(functions: Functions) -> None:
    """Each line of each function is a JSON object with service, level, request id, the job, and the shard if any."""
    functions.invoke("split_upload", event("split_upload"))
    whole_job(functions)
    functions.invoke("settle_submission", event("settle_submission"))
    functions.invoke("plan_slices", {**json.loads(functions.cloud.get(f"jobs/{JOB}/shards.json"))[0], **STATE})
    functions.invoke("show_progress", event("show_progress"))
    # These have files of their own.
    quiet = {"guard_retention", "answer_requests", "check_pilot", "show_sample", "await_approval", "watch_jobs"}
    assert {line["function_name"] for line in functions.log} == {*FUNCTIONS} - quiet
    for line in functions.log:
        assert line["service"] == "batchdrop"
        assert line["level"] in {"DEBUG", "INFO", "WARNING"}
        assert line["function_request_id"]
        assert JOB in {line.get("job_id"), *line.get("jobs_started", [])}
        assert ("shard" in line) == (line["function_name"] not in {"split_upload", "close_job", "show_progress"})


def test_no_prompt_and_no_answer_is_logged(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither log nor metrics hold the recipe's words, a cell, an answer or the key, at any log level."""
    answer = whole_job(functions)
    output = functions.cloud.get(f"{answer['results']}output.csv").decode()
    answers = [row["answer"] for row in csv.DictReader(io.StringIO(output, newline="")) if len(row["answer"]) > 3]
    assert answers
    captured = capsys.readouterr()
    logged = json.dumps(functions.log, ensure_ascii=False) + captured.out + captured.err
    assert JOB in logged
    for secret in (SECRET_PROMPT, SECRET_CELL, API_KEY, *answers):
        assert secret not in logged


MONEY = ("DollarsSpent", "DollarsEstimated", "InputTokens", "OutputTokens")


def test_metrics_are_counted(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """A job's numbers go to CloudWatch as embedded metrics, under the project's namespace."""
    functions.invoke("split_upload", event("split_upload"))
    whole_job(functions)
    counted: dict[str, float] = {}
    for line in capsys.readouterr().out.splitlines():
        metric = json.loads(line)
        assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "batchdrop"
        for described in metric["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            name = described["Name"]
            counted[name] = counted.get(name, 0) + sum(metric[name])
    money = {name: counted.pop(name) for name in MONEY}
    assert 0 < money["DollarsSpent"] < 0.01
    assert 0 < money["DollarsEstimated"] < 0.01
    assert min(money["InputTokens"], money["OutputTokens"]) > 0
    assert counted == {
        "JobsStarted": 1,
        "RequestsSplit": 3,
        "RequestsSubmitted": 3,
        "Polls": 2,
        "ShardRowsAnswered": 3,
        "ShardRowsUnusable": 0,
        "ShardRowsFailed": 0,
        "JobsSucceeded": 1,
        "WebSearches": 0,
        "JobRowsAnswered": 3,
        "JobRowsUnusable": 0,
        "JobRowsFailed": 0,
        "JobRowsRejected": 1,
        "JobsOfUnknownPrice": 0,
        "JobEventsLost": 0,
    }
    assert money["DollarsSpent"] == pytest.approx((money["InputTokens"] * 0.1 + money["OutputTokens"] * 0.5) / 2e6)
