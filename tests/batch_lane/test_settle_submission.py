"""settle_submission: what became of a create whose answer was lost? Nothing is guessed, and nobody else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.settle_submission import Settled
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    RateLimited,
)
from batchdrop.job.submission import Submission
from tests.batch_lane.lost_creates import ABSENT, OPEN, lose, state_of
from tests.bodies import create_body
from tests.fakes import START
from tests.jobs import JOB, VISIBLE_AFTER, World


def test_what_was_never_sent_is_absent(world: World) -> None:
    """No intent, no create: another attempt may be made, and the API is not even asked."""
    assert world.settle() == ABSENT
    assert world.api.reads == 0


def test_what_is_armed_is_absent(world: World) -> None:
    """A clean refusal came between."""
    world.api.refuse_next = RateLimited("later")
    with pytest.raises(RateLimited):
        world.submit()
    assert world.settle() == ABSENT
    assert world.api.reads == 0


def test_what_another_attempt_accepted_is_accepted(world: World) -> None:
    """The other attempt's answer came: its id stands there."""
    batch_id = world.submit().batch_id
    assert world.settle() == Settled("accepted", batch_id)
    assert world.api.reads == 0


def test_ours_is_adopted_when_it_has_ended(world: World) -> None:
    """Found, claimed, and from now on the submission's own: nothing is sent again."""
    lose(world)
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")
    assert world.ledger.is_claimed("msgbatch_0")
    assert world.submit().batch_id == "msgbatch_0"
    assert world.api.calls == 1


def test_ours_is_followed_while_it_runs(world: World) -> None:
    """However long it takes: a running Message Batch does not say whose it is, so nothing is sent."""
    lose(world)
    for _ in range(3):
        world.clock.advance(8 * 3600)
        assert world.settle() == OPEN
    assert state_of(world) == "sent"
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_a_foreign_message_batch_is_left_alone(world: World) -> None:
    """One that counts as many is followed to its end, then it is another's: never adopted, never canceled."""
    lose(world, arrived=False)
    foreign = world.api.create(create_body(2, job="somebody"), timeout=1).id
    world.clock.advance(VISIBLE_AFTER.total_seconds() + 1)
    assert world.settle() == OPEN
    world.api.finish()
    assert world.settle() == ABSENT
    assert state_of(world) == "armed"
    assert not world.ledger.is_claimed(foreign)
    assert world.api.cancels == []


def test_another_shards_message_batch_is_foreign(world: World) -> None:
    """The same job and the same count, but another shard's rows."""
    lose(world, arrived=False)
    world.api.create(create_body(2, job=JOB, shard=1), timeout=1)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT
    assert not world.ledger.is_claimed("msgbatch_0")


def test_a_claimed_message_batch_is_skipped(world: World) -> None:
    """What another submission of the same rows has claimed is not taken twice, even where its results are ours."""
    lose(world)
    world.api.finish()
    other = Submission(JOB, 0, 7, 2, "other", START, START)
    world.ledger.begin(other)
    world.ledger.accept(other, "msgbatch_0")
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_another_count_is_skipped(world: World) -> None:
    """A Message Batch with more or fewer requests is not waited for and not read."""
    lose(world, arrived=False)
    world.api.create(create_body(4, job=JOB), timeout=1)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


@pytest.mark.parametrize(("after", "verdict"), [(-1.0, OPEN), (0.0, ABSENT)])
def test_absent_only_after_the_list_must_show_it(world: World, after: float, verdict: Settled) -> None:
    """The list lags: before the lag is over, nothing found means nothing."""
    lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds() + after)
    assert world.settle() == verdict
    assert state_of(world) == ("sent" if verdict == OPEN else "armed")


def test_the_lag_counts_from_the_end_of_the_attempt(world: World) -> None:
    """An attempt that died without a word may send until its invocation's deadline."""
    world.api.refuse_next = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.submit()
    world.clock.advance(900 + VISIBLE_AFTER.total_seconds() - 1)
    assert world.settle() == OPEN
    world.clock.advance(1)
    assert world.settle() == ABSENT


def test_what_the_list_shows_late_is_found(world: World) -> None:
    """Not listed at first; looked for again until the lag is over."""
    lose(world)
    world.api.unlisted.add("msgbatch_0")
    world.api.finish()
    assert world.settle() == OPEN
    world.api.unlisted.clear()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_what_is_absent_is_sent_once_more(world: World) -> None:
    """Armed again, the next attempt sends, and its Message Batch is the only one."""
    lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT
    assert world.submit().batch_id == "msgbatch_0"
    assert list(world.api.created) == ["msgbatch_0"]


@pytest.mark.parametrize("error", [ApiUnavailable, RateLimited])
def test_a_list_out_of_reach_says_nothing(world: World, error: type[BatchdropError]) -> None:
    """Long after the lag, too: only a list that was read to its end can say that there is nothing."""
    lose(world, arrived=False)
    world.clock.advance(86_400)
    world.api.unreachable = error("later")
    assert world.settle() == OPEN
    assert state_of(world) == "sent"


@pytest.mark.parametrize("error", [ApiUnavailable, RateLimited])
def test_results_that_cannot_be_read_say_nothing(world: World, error: type[BatchdropError]) -> None:
    """An ended candidate that cannot be read may be ours."""
    lose(world)
    world.api.finish()
    world.clock.advance(86_400)
    world.api.unreadable = error("later")
    assert world.settle() == OPEN
    world.api.unreadable = None
    assert world.settle() == Settled("accepted", "msgbatch_0")


@pytest.mark.parametrize(
    "spoilt",
    [
        [],
        [b"\n"],
        [b'{"custom_id":"somebody-00000-000000","result":{}}\n'],
        [b'{"custom_id":"2026'],
        [b'{"custom_id":"\xff\xfe"}\n'],
    ],
    ids=repr,
)
def test_results_cut_short_prove_nothing(world: World, spoilt: list[bytes]) -> None:
    """An answer that holds fewer lines than the Message Batch counts, none of them ours, may go on with ours."""
    lose(world)
    world.api.finish()
    world.clock.advance(86_400)
    world.api.spoil = lambda _lines: spoilt
    assert world.settle() == OPEN
    assert state_of(world) == "sent"


def test_one_line_of_ours_is_enough(world: World) -> None:
    """Lines of nobody may stand before it."""
    lose(world)
    world.api.finish()
    world.api.spoil = lambda lines: [b'{"custom_id":"somebody-00000-000000","result":{}}\n', lines[0]]
    assert world.settle().verdict == "accepted"


def test_account_trouble_halts_the_job(world: World) -> None:
    """A key that was revoked between create and look stops all shards."""
    lose(world)
    world.api.unreachable = AccountTrouble("HTTP 401")
    with pytest.raises(AccountTrouble):
        world.settle()
    halt = world.ledger.halted(JOB)
    assert halt is not None
    assert (halt.error, halt.reason) == ("AccountTrouble", "HTTP 401")
    assert state_of(world) == "sent"


def test_a_halted_job_is_still_settled(world: World) -> None:
    """What was sent before the halt may be paid for; settling asks nothing new."""
    lose(world)
    world.api.unreachable = AccountTrouble("HTTP 401")
    with pytest.raises(AccountTrouble):
        world.settle()
    world.api.unreachable = None
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_of_two_of_ours_the_one_that_answered_most_is_taken(world: World) -> None:
    """A late attempt made a second one, and canceled it: the answered one is the submission's."""
    lose(world)
    surplus = world.api.create(create_body(2, job=JOB), timeout=1).id
    world.api.cancel(surplus)
    world.api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0")


def test_an_answer_that_comes_while_settling_wins(world: World) -> None:
    """Between the look and the rearming the attempt's own answer was written: it stays accepted."""
    lose(world, arrived=False)
    [sent] = world.ledger.submissions(JOB)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    list_created = world.api.newest_first

    def answer_meanwhile() -> Iterator[MessageBatch]:
        world.ledger.accept(sent, "msgbatch_late")
        return list_created()

    world.api.newest_first = answer_meanwhile  # type: ignore[method-assign] # the fake misbehaves
    world.settle()
    assert world.ledger.submission(JOB, 0, 0) == replace(sent, state="accepted", batch_id="msgbatch_late")
    assert world.submit().batch_id == "msgbatch_late"
