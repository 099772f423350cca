"""Each function as `sam build` made it, under AWS's own runtime interface: a success, an error and a timeout."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from batchdrop.local.claude_api.testing import RunningEmulator
from tests.built.conftest import Run
from tests.functions.lambdas import STATE, UPLOAD, Cloud
from tests.project import FUNCTIONS, event
from tools.invoke.artifacts import BUILD
from tools.invoke.runtime import own_mounts

pytestmark = [
    pytest.mark.timeout(900),  # `make build` may come first
    pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="layers are built for Lambda's Python, which is 3.13"),
]
DAY = 86_400.0
SCHEDULED = {"guard_retention", "watch_jobs"}
JOB: str = UPLOAD["job_id"]
RECIPE = b"model: claude-haiku-5-5\nprompt: 'ask {{ review }}'\nlane: batch\n"
FILE = b"id,review\n1,good\n2,bad\n3\n4,fine\n"


@pytest.fixture(scope="module")
def job(run: Run, sky: Cloud, emulator: RunningEmulator) -> dict[str, Any]:
    """A whole job through the built functions; each one's answer, by its name."""
    sky.put("recipes/sentiment.yaml", RECIPE)
    task = {"upload": sky.put(UPLOAD["key"], FILE)}
    answers: dict[str, Any] = {"split_upload": run("split_upload").invoke(task)}
    assert answers["split_upload"].get("finished"), answers
    items = json.loads(sky.get(f"jobs/{JOB}/shards.json"))
    states = [{**STATE, **item} for item in items]
    answers["settle_submission"] = run("settle_submission").invoke(states[0])
    submitted = [run("submit_shard").invoke(state) for state in states]
    emulator.advance(DAY)
    polled = [run("poll_batch").invoke(state) for state in submitted]
    collected = [run("collect_results").invoke(state) for state in polled]
    answers |= {"submit_shard": submitted[0], "poll_batch": polled[0], "collect_results": collected[0]}
    answers["close_job"] = run("close_job").invoke(task)
    for other in ("guard_retention", "watch_jobs", "await_approval"):
        answers[other] = run(other).invoke(event(other))
        assert "errorType" not in (answers[other] or {}), answers[other]
    return answers


def test_the_built_functions_do_a_whole_job(job: dict[str, Any], sky: Cloud) -> None:
    """The file comes back with its answers; every row is accounted for."""
    assert job["split_upload"]["finished"]
    assert job["settle_submission"]["settled"] == "absent"
    assert job["submit_shard"]["batch_id"].startswith("msgbatch_")
    assert (job["poll_batch"]["ended"], job["collect_results"]["leftovers"]) == (True, 0)
    assert (job["close_job"]["status"], job["guard_retention"]) == ("succeeded", {"endangered": 0})
    lines = sky.get(f"results/sentiment/reviews/{JOB}/output.csv").decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "1", "2", "3", "4"]
    assert [line.count("answered") for line in lines[1:]] == [1, 1, 0, 1]


def test_the_built_live_lane_answers_a_slice(run: Run, job: dict[str, Any], sky: Cloud) -> None:
    """A round is planned, and its slice answered and flushed; the token's own task is moto's to refuse."""
    assert job["close_job"]
    state = {**STATE, "round": 1, "lane": "live", "requests": 2}
    body = sky.get(f"jobs/{JOB}/shards/00000.requests.json")
    sky.put(f"jobs/{JOB}/shards/00000.r1.requests.json", body)
    [piece] = run("plan_slices").invoke(state)["slices"]
    given = event("answer_requests")
    task = json.loads(given["Records"][0]["body"])
    task["slice"] |= {**piece, "job_id": JOB, "shard": 0, "round": 1}
    given["Records"][0]["body"] = json.dumps(task)
    answered = run("answer_requests").invoke(given)
    assert "batchItemFailures" in answered
    flushed = sky.s3.list_objects_v2(Bucket=UPLOAD["bucket"], Prefix=f"jobs/{JOB}/answers/00000.r1.live/")
    lines = [line for one in flushed["Contents"] for line in sky.get(one["Key"]).splitlines()]
    assert sorted(json.loads(line)["custom_id"][-1] for line in lines) == ["0", "1"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_error_has_its_name_and_reason(function: str, run: Run, job: dict[str, Any]) -> None:
    """Lambda's JSON of an error is what the state machine's Retry and Catch read."""
    assert job
    error = run(function).invoke({"Records": [{"eventSource": "aws:unknown"}], "detail": 1})
    if function in SCHEDULED:  # their events say nothing that they read
        assert "errorType" not in error
        return
    assert error["errorType"]
    assert error["errorMessage"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_hangs_is_stopped(function: str, run: Run) -> None:
    """AWS's limit ends it, whatever it waits for, and says so by the name that the state machine catches."""
    answer = run(function, hangs=True).invoke({**event(function), "expires_at": 0})
    assert "Task timed out after 2.00 seconds" in str(answer)


def test_the_code_was_as_it_is_in_lambda(job: dict[str, Any], run: Run) -> None:
    """Nothing was written beside it; where mounts are allowed it was read-only, and the layers at /opt."""
    assert job
    assert not list(BUILD.glob("*Function/__pycache__"))
    where = "/opt/python/batchdrop" if own_mounts() else "/python/batchdrop"
    error = run("split_upload").invoke({"upload": {**UPLOAD, "job_id": "other", "key": "inbox/none/f.csv"}})
    assert where in "".join(error["stackTrace"])


@pytest.mark.parametrize("package", ["cli", "library", "local"])
def test_the_layer_leaves_out_what_no_function_imports(job: dict[str, Any], package: str) -> None:
    """The command line and the embedded stack are part of the package, but not of the core layer."""
    [core] = BUILD.glob("CoreLayer/python/batchdrop")
    assert (core / "bootstrap.py").is_file()
    assert not (core / package).exists()
