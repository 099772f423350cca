"""From the sample to the rest: the real definition's states, walked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asl.walker import State, TaskError, Walk, Walker
from tests.project import definition

SHOW, WAIT = "${ShowSampleFunctionArn}", "arn:${Partition}:states:::lambda:invoke.waitForTaskToken"
END: State = {"Type": "Succeed"}
SPLIT = {"finished": True, "redrives": 0, "deadline": 0}


def _walk(*rests: str, asks: str = "sample", wait: TaskError | None = None) -> tuple[Walk, list[tuple[str, Any]]]:
    """Walk from the end of the Map; `rests` are what show_sample says, one by one. Tells the tasks' inputs, too."""
    states = {**definition()["States"], "Send every shard": END, "Close job": END, "Close failed job": END}
    calls: list[tuple[str, Any]] = []
    said = iter(rests)

    def task(resource: str, given: Any) -> Any:
        calls.append((resource, given))
        if resource == WAIT:
            if wait:
                raise wait
            return {}
        split = {name: value for name, value in given["split"].items() if name != "lapsed"}
        rest = next(said)
        return {**split, "rest": rest, "asks": "shards" if rest == "ask" else "sample"}

    walker = Walker(states, task, lambda _seconds: None)
    return walker.run("Was it the sample?", {"job_id": "j", "split": {**SPLIT, "asks": asks}}), calls


def test_after_all_shards_the_job_is_closed() -> None:
    """Nothing is shown twice."""
    walk, calls = _walk(asks="shards")
    assert (walk.visited, calls) == (["Was it the sample?", "Close job"], [])


def test_a_sample_that_goes_on_by_itself() -> None:
    """It is shown, and the Map is entered again, for all shards."""
    walk, _ = _walk("ask")
    assert walk.visited == ["Was it the sample?", "Show sample", "What becomes of the rest?", "Send every shard"]
    assert walk.output["split"] == {**SPLIT, "asks": "shards", "rest": "ask"}


def test_a_sample_that_is_approved() -> None:
    """The task is given its token; woken, the state machine looks again, and finds the approval."""
    walk, calls = _walk("wait", "ask")
    assert walk.visited[2:] == [
        *("What becomes of the rest?", "Await approval", "Show sample", "What becomes of the rest?", "Send every shard")
    ]
    [given] = [given for resource, given in calls if resource == WAIT]
    assert given["FunctionName"] == "${AwaitApprovalFunctionArn}"
    assert given["Payload"] == {"upload": "<$$.Execution.Input>", "task_token": "<$$.Task.Token>"}


def test_a_bell_for_nothing_is_waited_out() -> None:
    """Woken without a reason, it waits again."""
    walk, _ = _walk("wait", "wait", "wait", "ask")
    assert walk.visited.count("Await approval") == 3


def test_time_that_is_over_is_told() -> None:
    """The end of the wait is no fault: the sample is looked at once more, with that mark, and the job is closed."""
    walk, calls = _walk("wait", "leave", wait=TaskError("States.Timeout"))
    assert walk.visited[-1] == "Close job"
    shown = [given["split"] for resource, given in calls if resource == SHOW]
    assert ["lapsed" in split for split in shown] == [False, True]
    assert walk.output["split"] == {**SPLIT, "asks": "sample", "rest": "leave"}


def test_a_sample_that_is_left_is_closed() -> None:
    """Canceled, or failed: the halt in the ledger tells; a redriven end red begins at the sample again."""
    walk, _ = _walk("leave")
    assert walk.visited[-1] == "Close job"
    assert walk.output["split"]["asks"] == "sample"


@pytest.mark.parametrize(
    ("error", "times"), [("ClientError", 1), ("AwsUnavailable", 7), ("Lambda.TooManyRequestsException", 65)]
)
def test_who_cannot_wait_closes_the_job(error: str, times: int) -> None:
    """A wait that cannot be begun is tried as often as its Retry says, and then the job tells of it."""
    walk, calls = _walk("wait", wait=TaskError(error))
    assert walk.visited[-1] == "Close failed job"
    assert walk.output["fault"]["Error"] == error
    assert [resource for resource, _ in calls].count(WAIT) == times
