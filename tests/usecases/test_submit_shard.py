"""submit_shard: one paid create, never two."""

from __future__ import annotations

import pytest

from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    RateLimited,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.ports import ObjectMissing, RequestBody
from batchdrop.usecases.submit_shard import TIME_TO_RECORD, StoredBody
from tests.fakes import START, FakeBatchApi, FakeClock, FakeObjectStore
from tests.usecases.jobs import JOB, KEYS, World, dropped, reviews


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
    batch_id = world.submit(1)
    assert world.api.created[batch_id] == world.requests(1)
    [sent] = world.ledger.submissions(JOB)
    assert (sent.shard, sent.asked_round, sent.requests, sent.intended_at, sent.batch_id) == (1, 0, 2, START, batch_id)


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
    with pytest.raises(SubmissionUncertain, match=r"2026-11-22 12:00:00 UTC.*no other is created"):
        world.submit()
    assert world.api.calls == 1


@pytest.mark.parametrize("refusal", [SubmissionRefused, AccountTrouble, RateLimited, ApiUnavailable])
def test_a_clean_refusal_may_be_tried_again(world: World, refusal: type[BatchdropError]) -> None:
    """Nothing was created, so the intent is cleared and the next attempt creates."""
    world.api.refuse_next = refusal("no")
    with pytest.raises(refusal):
        world.submit()
    assert world.ledger.submissions(JOB) == []
    assert world.submit() in world.api.created
    assert len(world.api.created) == 1


def test_a_shard_that_is_not_there_leaves_no_intent(world: World) -> None:
    """A store that fails before anything was sent does not make the shard uncertain."""
    body = world.store.objects.pop(KEYS.requests(0))
    with pytest.raises(ObjectMissing):
        world.submit()
    world.store.write(KEYS.requests(0), body)
    assert world.submit() in world.api.created


def test_the_answer_can_still_be_written_down(world: World) -> None:
    """The create may not take all of the invocation: time stays to record its id."""
    allowed: list[float] = []

    class Timed(FakeBatchApi):
        def create(self, body: RequestBody, *, timeout: float) -> object:  # type: ignore[override]
            allowed.append(timeout)
            return super().create(body, timeout=timeout)

    world.api = Timed()
    world.submit(0)
    world.clock = FakeClock(looks=0)
    world.submit(1)
    assert allowed == [900.0 - TIME_TO_RECORD, 1.0]


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
