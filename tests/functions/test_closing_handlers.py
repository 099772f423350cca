"""close_job's handler on moto and the emulator: green, red, redriven, canceled; and guard_retention's."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.errors import JobCanceled, JobFailed
from batchdrop.job.layout import JobKeys
from batchdrop.job.submission import Halt, Submission
from tests.fakes import START
from tests.functions.handled_job import (
    JOB,
    SECRET_CELL,
    places_of,
    split,
    submitted,
    whole_job,
)
from tests.functions.lambdas import Functions
from tests.project import event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # an error comes before they are counted


def test_close_job_leaves_the_queue(functions: Functions) -> None:
    """Whatever a shard that failed has left there."""
    task = split(functions)
    submitted(functions)
    assert places_of(functions)["places"]
    functions.invoke("close_job", task)
    assert places_of(functions) == {"places": {}, "line": {}}


def test_close_job_ends_green(functions: Functions) -> None:
    """After all steps: every row in the output, in order, and a bill of every request once."""
    answer = whole_job(functions)
    assert (answer["status"], answer["error"], answer["cause"]) == ("succeeded", "", "")
    output = functions.cloud.get(f"{answer['results']}output.csv").decode()
    rows = list(csv.DictReader(io.StringIO(output, newline="")))
    assert [(row["id"], row["_status"]) for row in rows] == [
        ("1", "answered"),
        ("2", "answered"),
        ("3", "rejected"),
        ("4", "answered"),
    ]
    assert rows[0]["review"] == f"{SECRET_CELL}, good\nand cheap"
    bill = [entry["custom_id"] for entry in functions.cloud.emulator.bill()]
    assert sorted(bill) == [f"{JOB}-00000-000000", f"{JOB}-00000-000001", f"{JOB}-00001-000001"]


def test_close_job_ends_red_with_a_reason(functions: Functions) -> None:
    """A caught fault comes out as words, and stands in summary.json."""
    cause = json.dumps({"errorMessage": "recipes/r.yaml: the recipe does not exist", "errorType": "RecipeRejected"})
    answer = functions.invoke("close_job", {**event("close_job"), "fault": {"Error": "RecipeRejected", "Cause": cause}})
    assert (answer["status"], answer["error"]) == ("failed", "RecipeRejected")
    assert answer["cause"].startswith("recipes/r.yaml: the recipe does not exist (1 in all; see results/sentiment/")
    summary = json.loads(functions.cloud.get(f"{answer['results']}summary.json"))
    assert summary["faults"] == [
        {"type": "RecipeRejected", "message": "recipes/r.yaml: the recipe does not exist", "shard": None}
    ]


CLOSED = {"status": "failed", "results": "results/r/", "error": "AccountTrouble", "cause": "HTTP 402"}


def _end_red(functions: Functions, status: str, redrives: int | None, known: int) -> Any:
    closed = {**CLOSED, "status": status}
    given = {**event("close_job"), "closed": closed, "redrives": redrives, "known_redrives": known}
    return functions.invoke("close_job", given)


@pytest.mark.parametrize(("status", "error"), [("failed", JobFailed), ("canceled", JobCanceled)])
@pytest.mark.parametrize(("redrives", "known"), [(0, 0), (None, 0), (2, 2)])
def test_close_job_ends_red(
    functions: Functions, status: str, error: type[Exception], redrives: int | None, known: int
) -> None:
    """The job's end is raised with the first fault's words; a RedriveCount that is not there yet counts as none."""
    _halt(functions)
    with pytest.raises(error, match="AccountTrouble: HTTP 402") as caught:
        _end_red(functions, status, redrives, known)
    assert type(caught.value) is error
    assert DynamoLedger(functions.cloud.table).halted(JOB) is not None


@pytest.mark.parametrize(("redrives", "known"), [(1, 0), (3, 2)])
def test_a_redriven_job_goes_on(functions: Functions, redrives: int, known: int) -> None:
    """A RedriveCount that is higher than the known one comes back as the known one, and lifts halt and failures."""
    _halt(functions)
    assert _end_red(functions, "failed", redrives, known) == redrives
    ledger = DynamoLedger(functions.cloud.table)
    assert (ledger.halted(JOB), ledger.shard_failures(JOB)) == (None, [])


def test_a_redriven_job_with_a_later_version_stays_red(functions: Functions) -> None:
    """The retry may have sent its rows, so they would be paid twice; the halt stays."""
    _halt(functions)
    job_id = event("close_job")["upload"]["job_id"]
    functions.cloud.put(JobKeys(f"{job_id}-v2").retry, b"{}")
    with pytest.raises(JobFailed, match=f"job {job_id} has a later version, {job_id}-v2, which may have sent its rows"):
        _end_red(functions, "failed", 1, 0)
    assert DynamoLedger(functions.cloud.table).halted(JOB) is not None


def _halt(functions: Functions) -> None:
    """Write down a halt and a shard that failed by it."""
    DynamoLedger(functions.cloud.table).halt(JOB, Halt("AccountTrouble", "HTTP 402", START))
    fact = {"job": JOB, "fact": "failure#0", "error": "AccountTrouble", "cause": "HTTP 402"}
    functions.cloud.table.put_item(Item=fact)


def test_close_job_counts_a_canceled_job(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """A job that its user canceled is neither succeeded nor failed: no alarm goes off."""
    task = split(functions)
    DynamoLedger(functions.cloud.table).halt(JOB, Halt("JobCanceled", "canceled by its user", START))
    capsys.readouterr()
    answer = functions.invoke("close_job", task)
    assert (answer["status"], answer["error"]) == ("canceled", "JobCanceled")
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["JobsCanceled"] == [1.0]
    assert "JobsFailed" not in line


def test_guard_retention_finds_nothing(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """On an empty ledger the schedule's event leaves a metric of 0, so that the alarm sees the guard live."""
    assert functions.invoke("guard_retention", event("guard_retention")) == {"endangered": 0}
    assert json.loads(capsys.readouterr().out)["EndangeredResults"] == [0.0]
    assert functions.log == []


def test_guard_retention_names_what_is_endangered(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    """Accepted 23 days ago and never collected: one line with all that the runbook asks for, and a metric of 1."""
    sent_at = datetime.now(UTC) - timedelta(days=23)
    ledger = DynamoLedger(functions.cloud.table)
    old = Submission(JOB, 4, 1, 9, "a", sent_at, sent_at)
    for one, batch_id in ((old, "msgbatch_old"), (replace(old, shard=5), "msgbatch_kept")):
        ledger.begin(one)
        ledger.accept(one, batch_id)
    ledger.collected(JOB, 5, 1, sent_at)
    assert functions.invoke("guard_retention", event("guard_retention")) == {"endangered": 1}
    assert json.loads(capsys.readouterr().out)["EndangeredResults"] == [1.0]
    [line] = functions.log
    assert (line["level"], line["job_id"], line["shard"], line["batch_id"]) == ("WARNING", JOB, 4, "msgbatch_old")
    assert line["days_left"] == pytest.approx(6.0, abs=0.1)
