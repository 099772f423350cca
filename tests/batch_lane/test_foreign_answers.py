"""A create that is answered with a Message Batch of others: not adopted, not touched, and nothing is paid twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.batch_lane.ports import RequestBody
from batchdrop.batch_lane.settle_submission import Settled
from batchdrop.errors import ResultsIncomplete, SubmissionUncertain
from batchdrop.job.submission import Submission
from tests.bodies import Body, create_body
from tests.fakes import START, FakeBatchApi
from tests.jobs import JOB, KEYS, VISIBLE_AFTER, World, dropped, reviews


class Misled(FakeBatchApi):
    """An API whose next creates are answered with these ids; `is_created`: the create was accepted all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []
        self.is_created = True

    def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
        """Create, and answer with another id."""
        if not self.answers:
            return super().create(body, timeout=timeout, betas=betas)
        if self.is_created:
            super().create(body, timeout=timeout, betas=betas)
        else:
            self.calls += 1
        return self.retrieve(self.answers.pop(0))


@pytest.fixture
def api() -> Misled:
    """An API that can answer with a wrong id."""
    return Misled()


@pytest.fixture
def world(api: Misled) -> World:
    """A job of two shards with two rows each, split."""
    world = dropped(reviews(4), rows=2)
    world.split()
    world.api = api
    return world


def _sent(world: World, shard: int = 0) -> Submission:
    sent = world.ledger.submission(JOB, shard, 0)
    assert sent is not None
    return sent


def _foreign(api: Misled, requests: int = 2) -> str:
    """Create a Message Batch of another client, with which the next create is answered."""
    foreign = api.create(create_body(requests, job="somebody"), timeout=1).id
    api.answers.append(foreign)
    return foreign


@pytest.mark.parametrize("requests", [1, 3])
def test_an_answer_with_another_count_is_not_adopted(world: World, api: Misled, requests: int) -> None:
    """It is another client's. Ours is found as if the answer had been lost."""
    foreign = _foreign(api, requests)
    with pytest.raises(SubmissionUncertain, match=f"{foreign}, which counts {requests} requests"):
        world.submit()
    sent = _sent(world)
    assert (sent.state, sent.over_at, sent.misled) == ("sent", START, True)
    assert not world.ledger.is_claimed(foreign)
    api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_1")
    assert (api.calls, api.cancels) == (2, [])


def test_an_answer_without_counts_is_adopted(world: World, api: Misled) -> None:
    """They are unknown, and the results will tell."""
    view = api._view
    api._view = lambda batch_id: MessageBatch(batch_id, "in_progress", RequestCounts(), view(batch_id).created_at)  # type: ignore[method-assign] # the fake misbehaves
    assert world.submit().batch_id == "msgbatch_0"


def test_ours_is_found_although_another_shard_was_answered_with_it(world: World, api: Misled) -> None:
    """The answer to the second create, which has the first one's id, is recorded first."""
    accept = world.ledger.accept

    def accept_late(submission: Submission, batch_id: str) -> Submission:
        world.ledger.accept = accept  # type: ignore[method-assign] # the fake misbehaves
        api.answers.append("msgbatch_0")
        assert world.submit(1).batch_id == "msgbatch_0"
        return accept(submission, batch_id)

    world.ledger.accept = accept_late  # type: ignore[method-assign] # the fake misbehaves
    with pytest.raises(SubmissionUncertain, match="msgbatch_0, which belongs to another submission"):
        world.submit(0)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle(0) == Settled("open")
    api.finish()
    assert world.settle(0) == Settled("accepted", "msgbatch_0")
    with pytest.raises(SubmissionUncertain):
        world.collect("msgbatch_0", shard=1)
    assert world.settle(1) == Settled("accepted", "msgbatch_1")
    assert (api.calls, api.cancels) == (2, [])


@pytest.mark.parametrize("first", [0, 1])
def test_two_shards_that_were_answered_with_each_others_find_their_own(world: World, api: Misled, first: int) -> None:
    """Whichever is collected first: the other's claim does not make ours look absent."""
    for shard in (0, 1):
        api.create(Body(world.store.read(KEYS.requests(shard))), timeout=1)
        intent = Submission(JOB, shard, 0, 2, f"attempt {shard}", START, START, key_print=api.key_print)
        world.ledger.accept(world.ledger.begin(intent), f"msgbatch_{1 - shard}")
    api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    for shard in (first, 1 - first):
        with pytest.raises(SubmissionUncertain, match="results belong to others"):
            world.collect(f"msgbatch_{1 - shard}", shard=shard)
        assert world.settle(shard) == Settled("accepted", f"msgbatch_{shard}")
        world.collect(f"msgbatch_{shard}", shard=shard)
    assert [_sent(world, shard).batch_id for shard in (0, 1)] == ["msgbatch_0", "msgbatch_1"]


def test_results_of_others_are_given_back(world: World, api: Misled) -> None:
    """As many requests as ours, and not claimed: only the results tell. Ours is found, and paid once."""
    foreign = _foreign(api)
    assert world.submit().batch_id == foreign
    api.finish()
    with pytest.raises(SubmissionUncertain, match=f"{foreign}, but its results belong to others"):
        world.collect(foreign)
    sent = _sent(world)
    assert (sent.state, sent.batch_id, sent.misled, sent.ruled_out) == ("sent", None, True, (foreign,))
    assert not world.ledger.is_claimed(foreign)
    assert not world.store.exists(KEYS.answers(0, 0))
    assert world.settle() == Settled("accepted", "msgbatch_1")
    assert world.collect("msgbatch_1").leftovers == 0
    assert (api.calls, api.cancels) == (2, [])


def test_what_was_never_created_is_sent_after_others_results(world: World, api: Misled) -> None:
    """The gateway answered without the API: no Message Batch of ours exists, so the shard is sent, once."""
    foreign = _foreign(api)
    api.is_created = False
    world.submit()
    api.finish()
    with pytest.raises(SubmissionUncertain):
        world.collect(foreign)
    world.clock.advance(900 + VISIBLE_AFTER.total_seconds())  # from the deadline of the attempt
    assert world.settle() == Settled("absent")
    assert world.submit().batch_id == "msgbatch_1"
    assert list(api.created) == [foreign, "msgbatch_1"]


def test_a_collection_that_was_superseded_settles_again(world: World, api: Misled) -> None:
    """Another attempt has given the Message Batch back, and found ours. Nothing of that is undone."""
    foreign = _foreign(api)
    world.submit()
    api.finish()
    for _ in range(2):
        with pytest.raises(SubmissionUncertain):
            world.collect(foreign)
        assert world.settle() == Settled("accepted", "msgbatch_1")
    assert _sent(world).ruled_out == (foreign,)


@pytest.mark.parametrize("kept", [0, 1])
def test_lines_of_others_prove_nothing_where_some_are_missing(world: World, api: Misled, kept: int) -> None:
    """Ours may be among those that did not come."""
    batch_id = world.submit().batch_id
    api.finish()
    nobody = b'{"custom_id":"nobody-asked-%d","result":{"type":"expired"}}\n'
    api.spoil = lambda _lines: [nobody % number for number in range(kept)]
    with pytest.raises(ResultsIncomplete):
        world.collect(batch_id)
    assert _sent(world).batch_id == batch_id


def test_settling_twice_at_once_keeps_what_was_adopted(world: World, api: Misled) -> None:
    """The other attempt adopts ours between the look and the adoption."""
    _foreign(api, 3)
    with pytest.raises(SubmissionUncertain):
        world.submit()
    api.finish()
    sent, listed = _sent(world), api.newest_first

    def adopted_meanwhile() -> Iterator[MessageBatch]:
        world.ledger.accept(sent, "msgbatch_1")
        return listed()

    api.newest_first = adopted_meanwhile  # type: ignore[method-assign] # the fake misbehaves
    world.settle()
    assert _sent(world).batch_id == "msgbatch_1"
    assert world.ledger.is_claimed("msgbatch_1")


def test_an_earlier_round_of_the_shard_is_not_taken_back(world: World, api: Misled) -> None:
    """Its results have our custom_ids, too. The create of the second round was answered with the first one's id."""
    first = world.submit().batch_id
    api.answers.append(first)
    api.is_created = False
    world.store.write(KEYS.requests(0, 1), world.store.read(KEYS.requests(0)))
    with pytest.raises(SubmissionUncertain, match="belongs to another submission"):
        world.submit(0, 1)
    api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle(0, 1) == Settled("absent")
    assert _sent(world).batch_id == first


def test_a_claim_of_another_job_counts_once_its_results_are_collected(world: World, api: Misled) -> None:
    """Until then, the API may have answered that job's create with ours."""
    _foreign(api, 3)
    with pytest.raises(SubmissionUncertain):
        world.submit()
    other = Submission("job-b", 0, 0, 2, "b", START, START)
    world.ledger.accept(world.ledger.begin(other), "msgbatch_1")
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("open")
    world.ledger.collected("job-b", 0, 0, START)
    assert world.settle() == Settled("absent")
