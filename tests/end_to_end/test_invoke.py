"""`make invoke`: each built function with its event, filled in, against a running stack."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.bench import Bench
from tests.local.polling import eventually
from tests.project import FUNCTIONS
from tools.invoke.__main__ import is_error, main
from tools.invoke.artifacts import built
from tools.invoke.running_stack import RunningStack
from tools.invoke.runtime import running
from tools.invoke.steps import JobSteps
from tools.invoke.waiting_task import token_of_waiting_task

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(900),  # `make build` may come first
    pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="layers are built for Lambda's Python, which is 3.13"),
]
SHARD = {"shards": 2, "requests": 4, "shard": 0}
# What each function answers, of what is said of a job that is really there.
ANSWERS: dict[str, dict[str, Any]] = {
    "split_upload": {},  # the id is the job's own
    "submit_shard": {**SHARD, "ended": False},
    "settle_submission": {**SHARD, "settled": "absent"},
    "poll_batch": {**SHARD, "ended": True},
    "collect_results": {**SHARD, "ended": True, "leftovers": 0},
    "plan_slices": {**SHARD, "lane": "live"},
    "answer_requests": {"batchItemFailures": []},
    "show_progress": {"is_drawn": True},
    "check_pilot": {"rest": "ask", "asks": "shards", "rows": 8},
    "show_sample": {"rest": "ask", "asks": "shards", "rows": 8},
    "await_approval": {"is_woken": False},
    "close_job": {"status": "succeeded", "error": ""},
    "guard_retention": {"endangered": 0},
    "watch_jobs": {},  # how many are open is the stack's business
}


@pytest.fixture(scope="module")
def stack(shared_bench: Bench) -> Iterator[RunningStack]:
    """The stack of all end-to-end tests; what is begun on it here has ended when they go on."""
    built()
    yield RunningStack(shared_bench.stack.endpoint_url)
    states, machine = shared_bench.stack.client("stepfunctions"), shared_bench.stack.state_machine_arn
    listed = partial(states.list_executions, stateMachineArn=machine, statusFilter="RUNNING")
    eventually(lambda: not listed()["executions"], seconds=120, what="the end of the jobs of make invoke")


@pytest.fixture
def steps(stack: RunningStack) -> JobSteps:
    """A job of its own for each event: what comes later in one would change what the earlier steps find."""
    client = stack.clients.client
    new_token = partial(token_of_waiting_task, client)
    return JobSteps(stack.invoke, client("s3"), stack.bucket, new_token, partial(time.sleep, 0.05))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_event_is_of_a_job_that_is_there(
    function: str, stack: RunningStack, steps: JobSteps, tmp_path: Path
) -> None:
    """The function does its own part of it, and says so."""
    event = steps.event(function)
    with running(function, stack.environment(function), tmp_path, timeout=900) as one:
        answer = one.invoke(event)
    assert not is_error(answer), answer
    assert answer == {**answer, **ANSWERS[function]}
    if function == "split_upload":
        assert len(answer["jobs_started"]) == 1
    if function == "answer_requests":
        served = one.log[one.log.index("slice served") :]
        assert '"outcome":"done"' in served, served
        assert "answered=4" in served


def test_the_exit_code_tells_the_truth(stack: RunningStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 with the answer on stdout; 1 with the error there, if the function raised."""
    where = ["--endpoint-url", stack.endpoint_url, "--under", "runtime"]
    assert main(["watch_jobs", *where]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out).keys() == {"open", "oldest_hours"}
    assert "jobs watched" in shown.err
    broken = tmp_path / "event.json"
    broken.write_text('{"upload": {}}', encoding="utf-8")
    assert main(["close_job", "--event", str(broken), *where]) == 1
    assert json.loads(capsys.readouterr().out)["errorType"] == "ValidationError"
