"""submit_shard: one paid create, never two."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.ports import RequestBody
from batchdrop.batch_lane.submit_shard import TIME_TO_RECORD, StoredBody, Submitted
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    JobCanceled,
    RateLimited,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.job.submission import Halt, Submission
from batchdrop.ports import ObjectMissing
from tests.fakes import START, FakeBatchApi, FakeClock, FakeLedger, FakeObjectStore
from tests.jobs import JOB, KEYS, World, dropped, reviews


@pytest.fixture
def world() -> World:
    """A job of two shards, split."""
    world = dropped(reviews(4), rows=2)
    world.split()
    return world


class Crash(BaseException):
    """The process ends here: nothing after it runs."""


def test_a_shard_becomes_a_message_batch(world: World) -> None:
    """The create's body is the shard's, and the ledger knows the Message Batch."""
    batch_id = world.submit(1).batch_id
    assert world.api.created[batch_id] == world.requests(1)
    [sent] = world.ledger.submissions(JOB)
    assert (sent.shard, sent.round_number, sent.requests, sent.sent_at, sent.batch_id) == (1, 0, 2, START, batch_id)
    assert (sent.state, sent.over_at) == ("accepted", START + timedelta(seconds=900))


def test_a_second_attempt_returns_the_same_message_batch(world: World) -> None:
    """A retried task, a redriven execution: the same id, and one create."""
    assert world.submit() == world.submit() == world.submit()
    assert world.api.calls == 1


def test_shards_have_message_batches_of_their_own(world: World) -> None:
    """Two shards are two creates."""
    assert world.submit(0) != world.submit(1)
    assert world.api.calls == 2


def test_a_lost_answer_is_never_posted_again(world: World) -> None:
    """The first attempt is uncertain, and so is each later one: the create is sent once."""
    world.api.lose_next = SubmissionUncertain("the answer was lost")
    for _ in range(3):
        with pytest.raises(SubmissionUncertain):
            world.submit()
    assert world.api.calls == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_create_is_uncertain(world: World, moment: str) -> None:
    """Whoever comes after a crash finds an intent without an id, and does not create."""
    setattr(world.api, "refuse_next" if moment == "before" else "lose_next", Crash())
    with pytest.raises(Crash):
        world.submit()
    with pytest.raises(SubmissionUncertain, match=r"2026-11-22 12:00:00 UTC.*nothing is sent"):
        world.submit()
    assert world.api.calls == 1


@pytest.mark.parametrize("refusal", [SubmissionRefused, AccountTrouble, RateLimited, ApiUnavailable])
def test_a_clean_refusal_may_be_tried_again(world: World, refusal: type[BatchdropError]) -> None:
    """Nothing was created, so the submission is armed again and the next attempt creates."""
    world.api.refuse_next = refusal("no")
    with pytest.raises(refusal):
        world.submit()
    assert [sent.state for sent in world.ledger.submissions(JOB)] == ["armed"]
    world.ledger.lift(JOB)
    assert world.submit().batch_id in world.api.created
    assert len(world.api.created) == 1


def test_a_shard_that_is_not_there_leaves_no_intent(world: World) -> None:
    """A store that fails before anything was sent does not make the shard uncertain."""
    body = world.store.objects.pop(KEYS.requests(0))
    with pytest.raises(ObjectMissing):
        world.submit()
    world.store.write(KEYS.requests(0), body)
    assert world.submit().batch_id in world.api.created


def test_the_answer_can_still_be_written_down(world: World) -> None:
    """The create may not take all of the invocation: time stays to record its id."""
    allowed: list[float] = []

    class Timed(FakeBatchApi):
        def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
            allowed.append(timeout)
            return super().create(body, timeout=timeout, betas=betas)

    world.api = Timed()
    world.submit(0)
    world.clock = FakeClock(looks=0)
    world.submit(1)
    assert allowed == [900.0 - TIME_TO_RECORD, 1.0]


def test_an_attempt_that_ended_says_so(world: World) -> None:
    """A lost answer is known before the invocation's deadline: settling need not wait for that."""
    world.api.lose_next = SubmissionUncertain("lost")
    with pytest.raises(SubmissionUncertain):
        world.submit()
    [sent] = world.ledger.submissions(JOB)
    assert (sent.state, sent.over_at) == ("sent", START)


def test_a_late_attempt_gives_way(world: World) -> None:
    """Given up for dead, then answered: it cancels what it created itself, and the newer attempt's stays."""
    newer = Submission(JOB, 0, 0, 2, "newer", START, START)

    class Slow(FakeBatchApi):
        def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
            batch = super().create(body, timeout=timeout, betas=betas)
            [sent] = world.ledger.submissions(JOB)
            world.ledger.rearm(sent)
            world.ledger.begin(newer)
            world.ledger.accept(newer, "msgbatch_newer")
            return batch

    world.api = Slow()
    assert world.submit().batch_id == "msgbatch_newer"
    assert world.api.cancels == ["msgbatch_0"]
    assert not world.ledger.is_claimed("msgbatch_0")


def test_a_late_attempt_beside_one_that_is_under_way_is_uncertain(world: World) -> None:
    """The newer attempt has no answer yet: the late one cancels its own, and nobody knows the id."""
    newer = Submission(JOB, 0, 0, 2, "newer", START, START)

    class Slow(FakeBatchApi):
        def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
            batch = super().create(body, timeout=timeout, betas=betas)
            [sent] = world.ledger.submissions(JOB)
            world.ledger.rearm(sent)
            world.ledger.begin(newer)
            return batch

    world.api = Slow()
    with pytest.raises(SubmissionUncertain, match="a newer attempt is in progress"):
        world.submit()
    assert world.api.cancels == ["msgbatch_0"]
    assert world.ledger.submissions(JOB) == [newer]


def test_the_answer_to_a_create_that_was_adopted_meanwhile_is_its_own(world: World) -> None:
    """Settling found the same Message Batch first: there is nothing to cancel."""

    class Slow(FakeBatchApi):
        def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
            batch = super().create(body, timeout=timeout, betas=betas)
            [sent] = world.ledger.submissions(JOB)
            world.ledger.accept(sent, batch.id)
            return batch

    world.api = Slow()
    assert world.submit().batch_id == "msgbatch_0"
    assert world.api.cancels == []


@pytest.mark.parametrize("error", [AccountTrouble, JobCanceled])
def test_a_halted_job_asks_nothing(world: World, error: type[BatchdropError]) -> None:
    """What one shard learnt, or its user said, the others heed, with the same words; no intent is left."""
    world.ledger.halt(JOB, Halt(error.__name__, "the reason", START))
    with pytest.raises(error, match="the reason"):
        world.submit()
    assert (world.api.calls, world.ledger.submissions(JOB)) == (0, [])


def test_a_halted_job_still_knows_what_it_sent(world: World) -> None:
    """A Message Batch that runs is collected, halted or not: it is paid for."""
    batch_id = world.submit().batch_id
    world.ledger.halt(JOB, Halt("JobCanceled", "the reason", START))
    assert world.submit().batch_id == batch_id


def test_account_trouble_halts_the_job(world: World) -> None:
    """The other shards need not learn it by a create of their own."""
    world.api.refuse_next = AccountTrouble("HTTP 402")
    with pytest.raises(AccountTrouble):
        world.submit(0)
    assert world.ledger.halted(JOB) == Halt("AccountTrouble", "HTTP 402", START)
    with pytest.raises(AccountTrouble, match="HTTP 402"):
        world.submit(1)
    assert world.api.calls == 1


def test_what_is_collected_need_not_be_polled(world: World) -> None:
    """A resumed job finds its answers in the bucket; the API may have forgotten the Message Batch by now."""
    batch_id = world.submit().batch_id
    assert not world.submit().is_collected
    world.api.finish()
    world.collect(batch_id)
    assert world.submit() == Submitted(batch_id, is_collected=True)


def test_a_stored_body_is_read_from_its_start_each_time() -> None:
    """Whoever iterates twice gets all bytes twice, and `size` of them."""
    store = FakeObjectStore(block=3)
    store.write("k", b"0123456789")
    body = StoredBody(store, "k")
    first = iter(body)
    assert next(first) == b"012"
    assert b"".join(body) == b"0123456789"
    assert b"".join(first) == b"3456789"
    assert body.size == 10


def test_answers_that_are_kept_are_never_asked_again(world: World) -> None:
    """Resumed after the ledger has forgotten the job, a shard whose answers are in the bucket is not sent again."""
    batch_id = world.submit().batch_id
    world.api.finish()
    world.collect(batch_id)
    world.ledger = FakeLedger()
    assert world.submit() == Submitted("", is_collected=True)
    assert world.api.calls == 1
