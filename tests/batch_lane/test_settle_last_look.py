"""The last look at a lost create: it says what could not be told, and a resume looks again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.list_pass import MOST_SAID
from batchdrop.batch_lane.settle_submission import MOST_NAMED, Settled
from batchdrop.errors import (
    ApiUnavailable,
    SubmissionUncertain,
)
from tests.batch_lane.lost_creates import ABSENT, OPEN, gives_up, lose
from tests.bodies import create_body
from tests.fakes import START
from tests.jobs import JOB, VISIBLE_AFTER, World


def test_the_last_look_says_what_could_not_be_told(world: World) -> None:
    """Which Message Batch, why, what that means, and what to do; nothing is sent again, then or later."""
    lose(world)
    said = gives_up(world)
    assert "shard 0, round 0" in said
    assert f"msgbatch_0 (in_progress, created {START.isoformat()})" in said
    assert "Nothing was sent again, because the Message Batch may exist and be billed" in said
    assert f"custom_ids that begin with {JOB}-00000-" in said
    assert f"`batchdrop resume {JOB}`" in said
    with pytest.raises(SubmissionUncertain):
        world.submit()
    assert world.api.calls == 1


def test_what_was_given_up_is_looked_for_again(world: World) -> None:
    """The resumed job's own looks find it, and it was paid once."""
    lose(world)
    gives_up(world)
    world.resume()
    assert world.settle() == OPEN
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")
    assert list(world.api.created) == ["msgbatch_0"]


@pytest.mark.parametrize("arrived", [True, False])
def test_the_last_look_may_tell(world: World, *, arrived: bool) -> None:
    """It is a look like any other: adopted, or absent."""
    lose(world, arrived=arrived)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle(is_last=True) == (Settled("accepted", "msgbatch_0") if arrived else ABSENT)


def test_the_last_look_at_a_list_out_of_reach_says_so(world: World) -> None:
    """No Message Batch to name, but a reason."""
    lose(world)
    world.api.unreachable = ApiUnavailable("HTTP 503: <html>" + "x" * 10_000)
    said = gives_up(world)
    assert "the list of Message Batches cannot be read (ApiUnavailable: HTTP 503" in said
    assert len(said) < 1_000


def test_the_last_look_may_be_too_early(world: World) -> None:
    """After many lost answers, the last of them just now: what the list does not show yet is not taken for absent."""
    lose(world, arrived=False)
    assert "the list of Message Batches may not show it yet" in gives_up(world)


def test_what_another_attempt_took_is_open(world: World) -> None:
    """Ours was found, but by then another attempt stands there: the last look does not call that an end, either."""
    lose(world)
    world.api.finish()
    [sent] = world.ledger.submissions(JOB)
    list_created = world.api.newest_first

    def taken_meanwhile() -> Iterator[MessageBatch]:
        world.ledger.rearm(sent)
        world.ledger.begin(replace(sent, attempt="another"))
        return list_created()

    world.api.newest_first = taken_meanwhile  # type: ignore[method-assign] # the fake misbehaves
    assert "msgbatch_0 (ours, but a newer attempt has replaced this one)" in gives_up(world)


def test_many_undecided_are_named_in_part(world: World) -> None:
    """The reason stands beside every row of the shard: it stays short, however much the API says."""
    lose(world)
    for _ in range(MOST_NAMED + 2):
        world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.finish()
    world.api.unreadable = ApiUnavailable("x" * 10_000)
    said = gives_up(world)
    assert said.count("msgbatch_") == MOST_NAMED
    assert "; 3 more. Nothing" in said
    assert len(said) < MOST_NAMED * (MOST_SAID + 50) + 600
