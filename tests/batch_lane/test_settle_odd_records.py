"""Odd records of Message Batches and odd results, while a lost create is settled: nothing is guessed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta

import httpx2
import msgspec
import pytest

from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.batch_lane.settle_submission import Settled
from batchdrop.errors import (
    ApiUnavailable,
    SubmissionUncertain,
)
from tests.batch_lane.lost_creates import ABSENT, OPEN, gives_up, lose
from tests.bodies import create_body
from tests.fakes import START, FakeBatchApi
from tests.jobs import JOB, VISIBLE_AFTER, World


def test_an_answer_with_another_submissions_id_cancels_nothing(world: World) -> None:
    """A gateway repeats the answer to the first shard's create: that Message Batch is claimed, and goes on."""
    first = world.submit(0).batch_id
    create = world.api.create
    answer = world.api.retrieve(first)
    world.api.create = lambda body, *, timeout, betas=(): (create(body, timeout=timeout, betas=betas), answer)[1]  # type: ignore[method-assign] # the fake misbehaves
    with pytest.raises(SubmissionUncertain):
        world.submit(1)
    assert world.api.cancels == []


def test_what_is_created_later_is_not_waited_for(world: World) -> None:
    """A stream of others' Message Batches does not keep a submission open: what comes after the attempt is not ours."""
    lose(world, arrived=False)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    world.api.time = START + timedelta(minutes=15, seconds=1)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    assert world.settle() == ABSENT


def test_what_was_ruled_out_is_not_read_again(world: World) -> None:
    """Others' results are read once; the list is read in each pass."""
    lose(world, arrived=False)
    for _ in range(2):
        world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.ended.add("msgbatch_0")
    read: list[str] = []
    results = world.api.results

    def listened(batch: MessageBatch) -> Generator[bytes, None, None]:
        read.append(batch.id)
        return results(batch)

    world.api.results = listened  # type: ignore[method-assign] # the fake misbehaves
    assert [world.settle(), world.settle()] == [OPEN, OPEN]
    assert read == ["msgbatch_0"]
    [sent] = world.ledger.submissions(JOB)
    assert sent.ruled_out == ("msgbatch_0",)


def test_a_line_of_another_shard_rules_out(world: World) -> None:
    """Results that are cut short prove that, too: a Message Batch holds one shard."""
    lose(world, arrived=False)
    world.api.create(create_body(2, job=JOB, shard=1), timeout=1)
    world.api.finish()
    world.api.spoil = lambda lines: lines[:1]
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == ABSENT


def test_a_broken_line_does_not_hide_ours(world: World) -> None:
    """Two lines glued together, half a character, a custom_id that is null: the next line may be ours."""
    lose(world)
    world.api.finish()
    world.api.spoil = lambda lines: [b'{"custom_id":"\xff"}\n', b"{}{}\n", b'{"custom_id":null}\n', lines[0]]
    assert world.settle().verdict == "accepted"


@pytest.mark.parametrize("odd", ["", "yesterday", "2026-11-22T12:00:00", "2026-11-22T14:00:00+02:00"])
@pytest.mark.parametrize("status", ["in_progress", "postponed", ""])
def test_an_odd_message_batch_is_undecided(world: World, odd: str, status: str) -> None:
    """Its date or its status cannot be read: it may be ours, and nothing crashes."""
    lose(world, arrived=False)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    listed = world.api.newest_first

    def oddly() -> Iterator[MessageBatch]:
        return (msgspec.structs.replace(batch, created_at=odd, processing_status=status) for batch in listed())

    world.api.newest_first = oddly  # type: ignore[method-assign] # the fake misbehaves
    assert world.settle() == OPEN


def test_one_odd_date_does_not_end_a_pass(world: World) -> None:
    """The list comes newest first. One Message Batch that looks too old does not hide the next, which is ours."""
    lose(world)
    world.api.time = START - timedelta(days=9)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    assert world.settle() == Settled("accepted", "msgbatch_0")


def _miscount(world: World, total: int) -> None:
    """Let the API's list count so many results in each Message Batch."""
    listed = world.api.newest_first

    def miscounted() -> Iterator[MessageBatch]:
        counts = RequestCounts(succeeded=total)
        return (msgspec.structs.replace(batch, request_counts=counts) for batch in listed())

    world.api.newest_first = miscounted  # type: ignore[method-assign] # the fake misbehaves


@pytest.mark.parametrize("total", [0, 1, 3])
def test_ours_is_found_by_a_count_that_is_off(world: World, total: int) -> None:
    """After the end the API's count may be missing, or off by one."""
    lose(world)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    _miscount(world, total)
    assert world.settle().verdict == "accepted"


@pytest.mark.parametrize("total", [0, 1, 2, 3])
def test_a_count_that_is_off_does_not_keep_anothers_undecided(world: World, total: int) -> None:
    """It has as many results as we sent requests, and none of them is ours."""
    lose(world, arrived=False)
    world.api.create(create_body(2, job="somebody"), timeout=1)
    world.api.finish()
    world.clock.advance(VISIBLE_AFTER.total_seconds())
    _miscount(world, total)
    assert world.settle() == ABSENT


class _HalfReadable(FakeBatchApi):
    """An API that never gives some results."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        if batch.id in self.hidden:
            message = f"{batch.id}: HTTP 502"
            raise ApiUnavailable(message)
        yield from super().results(batch)


@pytest.mark.parametrize("ours_is_first", [True, False])
def test_ours_is_adopted_beside_results_that_cannot_be_read(world: World, *, ours_is_first: bool) -> None:
    """Another client's Message Batch stays undecided, and ours is found."""
    world.api = api = _HalfReadable()
    if not ours_is_first:
        api.hidden.add(api.create(create_body(2, job="somebody"), timeout=1).id)
    lose(world)
    if ours_is_first:
        api.hidden.add(api.create(create_body(2, job="somebody"), timeout=1).id)
    api.finish()
    assert world.settle() == Settled("accepted", "msgbatch_0" if ours_is_first else "msgbatch_1")
    assert not any(world.ledger.is_claimed(foreign) for foreign in api.hidden)


def test_results_that_cannot_be_read_are_undecided_to_the_end(world: World) -> None:
    """They may be ours: nothing is sent, and in the end they are named as the reason."""
    world.api = api = _HalfReadable()
    lose(world)
    api.hidden.add("msgbatch_0")
    api.finish()
    world.clock.advance(2 * 86_400)
    assert world.settle() == OPEN
    assert "msgbatch_0 (ApiUnavailable: msgbatch_0: HTTP 502)" in gives_up(world)


def test_the_key_does_not_go_to_another_host_while_settling(world: World) -> None:
    """On the real adapter: results of another client that are offered elsewhere are read from the API's own host."""
    lose(world, arrived=False)
    asked: list[str] = []

    def shown(batch_id: str, host: str) -> dict[str, object]:
        url = f"https://{host}/v1/messages/batches/{batch_id}/results"
        counts = {"succeeded": 2}
        return {
            "id": batch_id,
            "processing_status": "ended",
            "request_counts": counts,
            "created_at": START.isoformat(),
            "results_url": url,
        }

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url.copy_with(query=None)))
        if request.url.path.endswith("/results"):
            job = JOB if "/ours/" in request.url.path else "somebody"
            lines = [f'{{"custom_id":"{job}-00000-{number:06}"}}\n' for number in range(2)]
            return httpx2.Response(200, content="".join(lines).encode())
        page = {"data": [shown("theirs", "evil.example"), shown("ours", "api.test")], "has_more": False}
        return httpx2.Response(
            200, content=msgspec.json.encode(page), headers={"date": "Sun, 22 Nov 2026 12:00:00 GMT"}
        )

    transport = httpx2.MockTransport(answer)
    world.api = AnthropicBatchCreator(api_key="k", base_url="https://api.test", transport=transport)  # type: ignore[assignment] # the real adapter
    assert world.settle() == Settled("accepted", "ours")
    base = "https://api.test/v1/messages/batches"
    assert asked == [base, f"{base}/theirs/results", f"{base}/ours/results"]
