"""A Message Batch may take 24 hours. The real state machine and the real wait policy live through them here.

Every wait is scaled to 1/20,000, so that the 24 hours take half a minute, most of it the functions' own time. That
would be 10 emulated minutes for each poll, so the emulator's clock does not run by itself: it follows the waits that
the state machine has begun, as its history tells them.
"""

import json
from itertools import accumulate
from typing import Any

import pytest

from tests.end_to_end.bench import JOB_SECONDS, Bench, csv_of
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

DAY = 24 * 3600
MOST_EVENTS = 3_200  # history events a shard; Step Functions ends an execution at 25,000
MOST_STATE_BYTES = 32 * 1024
FIFTH_OF_THE_LIMIT = 1_000 / 5  # calls a minute: the lowest tier of the Message Batches API has 1,000

# What AWS writes for each state, by the Step Functions developer guide; ministack writes less for a Map's children.
TASK_EVENTS = 5  # TaskStateEntered, LambdaFunctionScheduled, -Started, -Succeeded, TaskStateExited
STATE_EVENTS = 2  # Wait, Choice, Pass: entered, exited
POLL_EVENTS = STATE_EVENTS + TASK_EVENTS + STATE_EVENTS  # Wait for Message Batch, Poll batch, Has it ended?
OTHER_EVENTS = 2 + 2 * TASK_EVENTS + 4 * STATE_EVENTS
"""ExecutionStarted and -Succeeded; Submit shard, Collect results; Anything to send?, Has it ended?, Are there
leftovers?, Shard done."""


def _child(bench: Bench, job: str) -> str:
    """The execution of the job's only shard."""

    def found() -> Any:
        runs = bench.states.list_map_runs(executionArn=job)["mapRuns"]
        return [
            child["executionArn"]
            for run in runs
            for child in bench.states.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        ]

    return str(eventually(found, seconds=JOB_SECONDS, what="the shard's execution")[0])


def _states(bench: Bench, child: str) -> list[dict[str, Any]]:
    """What each task of the shard has handed on so far."""
    details = [event.get("taskSucceededEventDetails") for event in bench.history(child)]
    return [json.loads(one["output"]) for one in details if one]


def _wait_as_the_shard_does(bench: Bench, child: str) -> None:
    """Move the emulator's clock by each wait of the shard, until the shard has ended."""
    waited = 0

    def follow() -> bool:
        nonlocal waited
        ended = bench.states.describe_execution(executionArn=child)["status"] != "RUNNING"
        begun = sum(state["wait_seconds"] for state in _states(bench, child))
        bench.claude.advance(begun - waited)
        waited = begun
        return ended

    eventually(follow, seconds=250, what="the end of the shard")


def test_twenty_four_hours(bench: Bench) -> None:
    """24 h of polling stay under 2,500 history events, 32 KB of state and a fifth of the API's rate limit."""
    bench.claude.settings(speed=0.0, batch_seconds=60 * 3600.0)
    key = "inbox/once/a day.csv"
    bench.drop(key, csv_of(["one", "two"]))
    child = _child(bench, bench.started_job(key))
    _wait_as_the_shard_does(bench, child)
    job = bench.ended_job(key)

    states = _states(bench, child)
    waits = [state["wait_seconds"] for state in states]
    polls = 1 + next(number for number, waited in enumerate(accumulate(waits)) if waited >= DAY)
    assert polls * POLL_EVENTS + OTHER_EVENTS < MOST_EVENTS
    assert polls > DAY / 600, "it did look every few minutes"

    started = bench.states.describe_execution(executionArn=child)
    sizes = [len(started["input"].encode()), *(len(json.dumps(state).encode()) for state in states)]
    assert max(sizes) < MOST_STATE_BYTES

    calls = bench.claude.call_summary()
    assert calls["by_endpoint"]["batches.retrieve"]["200"] >= polls
    assert calls["peak_per_minute"]["batches.*"] < FIFTH_OF_THE_LIMIT

    # It expired after its 24 hours: the rows say so, and the job is red, because none of them has an answer.
    assert (job.status, job.summary["tally"]["statuses"]) == ("FAILED", {"failed": 2})
    assert [fault["type"] for fault in job.summary["faults"]] == ["NothingAnswered"]
    assert all(row["_error"].startswith("expired: ") for row in job.failed_rows)
