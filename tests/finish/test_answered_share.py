"""A job with too few answers is red: without one, or with fewer than the recipe's `fail_if` allows."""

from __future__ import annotations

import pytest

from batchdrop.errors import ApiUnavailable, NothingToSend
from batchdrop.live_lane.reply import Refused
from tests.fakes import FakeBatchApi, echo, errored
from tests.jobs import RECIPE, World, dropped, reviews

ONE_ROUND = f"{RECIPE}max_rounds: 1\n"


def _job(rows: int, *, refused: int, recipe: str = ONE_ROUND) -> World:
    """Return a job of the batch lane whose first `refused` rows have no answer."""
    world = dropped(reviews(rows), recipe=recipe)
    world.api = FakeBatchApi(
        result_of=lambda request: (
            errored("invalid_request_error") if int(request["custom_id"][-6:]) < refused else echo(request)
        )
    )
    return world


def _fault(world: World) -> tuple[str, list[str]]:
    summary = world.run()
    return summary.status, [fault.type for fault in summary.faults]


@pytest.mark.parametrize("lane", ["batch", "live"])
def test_a_job_without_one_answer_is_red(lane: str) -> None:
    """Rows were sent and none was answered: the job failed, although each of its shards went well."""
    world = _job(3, refused=3, recipe=f"{ONE_ROUND}lane: {lane}\n")
    world.messages.script = lambda _prompt, _before: Refused("invalid_request_error", "no")
    summary = world.run()
    assert (summary.status, [fault.type for fault in summary.faults]) == ("failed", ["NothingAnswered"])
    assert "none of the 3 rows" in summary.faults[0].message


def test_one_answer_is_enough() -> None:
    """Without `fail_if`, single rows may fail in a job that succeeds."""
    assert _fault(_job(3, refused=2)) == ("succeeded", [])


@pytest.mark.parametrize(("refused", "status"), [(1, "succeeded"), (2, "failed")])
def test_a_recipe_moves_the_line(refused: int, status: str) -> None:
    """Nine of ten are enough for 0.9, eight are not."""
    world = _job(10, refused=refused, recipe=f"{ONE_ROUND}fail_if: {{answered_below: 0.9}}\n")
    assert _fault(world) == (status, ["TooFewAnswered"] if status == "failed" else [])


def test_rejected_rows_do_not_count() -> None:
    """They were never sent: 9 of the 9 rows that were sent are answered."""
    world = dropped(reviews(9) + b"a,b,c\n", recipe=f"{ONE_ROUND}fail_if: {{answered_below: 1}}\n")
    assert _fault(world) == ("succeeded", [])


def test_a_file_of_rejected_rows_alone_is_red_before_anything_is_sent() -> None:
    """That is `NothingToSend`, and not a job without answers."""
    world = dropped(b"x,y\na\nc\n", recipe=ONE_ROUND)
    with pytest.raises(NothingToSend, match="none of its 2 rows can be sent"):
        world.split()
    assert not world.api.created


def test_the_message_names_the_share_and_the_limit() -> None:
    """It says what is wrong, and what to do next."""
    world = _job(4, refused=2, recipe=f"{ONE_ROUND}fail_if: {{answered_below: 0.75}}\n")
    [fault] = world.run().faults
    assert "2 of the 4 rows that were sent are answered, a share of 0.5" in fault.message
    assert "fail_if.answered_below is 0.75" in fault.message


def test_another_fault_is_reported_alone() -> None:
    """A job that failed for a reason of its own does not also report the lack of answers."""
    world = _job(2, refused=0)
    world.api.unreadable = ApiUnavailable("HTTP 500")
    assert _fault(world) == ("failed", ["ApiUnavailable"])
