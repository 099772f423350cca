"""If the API stays wrong, every answer that arrived is delivered, and the rest may be paid: it is never sent again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batchdrop.answers.result import MessageBatch
from batchdrop.errors import AccountTrouble, ApiUnavailable, ResultsIncomplete, SubmissionUncertain
from batchdrop.job.submission import ShardFailure
from tests.fakes import FakeBatchApi, echo, errored
from tests.jobs import JOB, KEYS, World, dropped, reviews


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def _tried(world: World, times: int = 3) -> World:
    """Run a job whose results never get complete; its shard fails after so many attempts."""
    world.split()
    for _ in range(times):
        world.ask()
    return world


def test_what_arrived_is_delivered() -> None:
    """One result is missing for good: the others are in the output, and the job is red."""
    world = dropped(reviews(4))
    world.api.spoil = lambda lines: [line for line in lines if b"-000002" not in line]
    summary = _tried(world).close()
    assert (summary.status, summary.faults[0].type) == ("failed", "ResultsIncomplete")
    assert [row["_status"] for row in _rows(world)] == ["answered", "answered", "uncertain", "answered"]
    assert "may be billed" in _rows(world)[2]["_error"]


def test_attempts_add_up() -> None:
    """Each download lacks another row: together they have all."""
    world = dropped(reviews(3))
    downloads = iter((b"-000000", b"-000001", b"-000002"))

    def spoil(lines: list[bytes]) -> list[bytes]:
        missing = next(downloads)
        return [line for line in lines if missing not in line]

    world.api.spoil = spoil
    summary = _tried(world).close()
    assert (summary.status, summary.tally.answered) == ("failed", 3)


@pytest.mark.parametrize("refusal", [AccountTrouble("HTTP 403"), ApiUnavailable("HTTP 500"), ResultsIncomplete("none")])
def test_rows_without_results_are_never_sent_again(refusal: Exception) -> None:
    """No result can be read: all rows may be paid. A resume reads the results, and sends nothing."""
    world = dropped(reviews(3))
    world.api.unreadable = refusal
    summary = _tried(world).close()
    assert (summary.status, summary.tally.statuses) == ("failed", {"uncertain": 3})
    world.api.unreadable = None
    world.resume()
    resumed = world.run()
    assert (resumed.status, resumed.tally.answered, len(world.api.created)) == ("succeeded", 3, 1)


def test_lines_of_one_round_did_not_arrive_in_the_next() -> None:
    """The next round's Message Batch cannot be reached: its row may be paid, and is not one that failed before."""
    world = dropped(reviews(2))
    world.api = FakeBatchApi(in_turn=lambda request, before: echo(request) if before else errored("api_error"))
    world.split()
    first = world.submit().batch_id
    world.api.finish()
    assert world.collect(first).leftovers == 2
    second = world.submit(0, 1, 2).batch_id
    world.api.finish()
    world.api.unreachable = ApiUnavailable("HTTP 502")
    with pytest.raises(ApiUnavailable):
        world.collect(second, round_number=1)
    world.ledger.fail(JOB, ShardFailure(0, "ApiUnavailable", "HTTP 502"))
    assert world.close().tally.statuses == {"uncertain": 2}
    assert not world.store.exists(KEYS.arrived_answers(0, 1))


def test_an_answer_that_arrived_once_is_delivered() -> None:
    """The counts are wrong, so there are two downloads. The second has the row's result in a type that nobody knows."""
    world = dropped(reviews(2))
    world.api = api = _Lies()
    api.change = lambda _batch: {"succeeded": 0}
    odd = json.dumps({"custom_id": f"{JOB}-00000-000001", "result": {"type": "postponed"}}).encode() + b"\n"
    downloads = iter((False, True))

    def spoil(lines: list[bytes]) -> list[bytes]:
        is_second = next(downloads)
        return [odd if is_second and b"-000001" in line else line for line in lines]

    world.api.spoil = spoil
    assert _tried(world, 2).close().tally.answered == 2
    world.store.objects = {key: body for key, body in world.store.objects.items() if "/parts/" not in key}
    assert world.close().tally.answered == 2


class _Lies(FakeBatchApi):
    """Counts that are wrong after the end."""

    change: Callable[[MessageBatch], dict[str, int]]

    def retrieve(self, batch_id: str) -> MessageBatch:
        batch = super().retrieve(batch_id)
        counts = msgspec.structs.replace(batch.request_counts, **self.change(batch))
        return msgspec.structs.replace(batch, request_counts=counts)


@pytest.mark.parametrize("by", [-1, 1, -4])
def test_counts_that_stay_wrong_cost_no_answer(by: int) -> None:
    """Two downloads have a result for every request: the custom_ids prove more than the counts."""
    world = dropped(reviews(4))
    world.api = _Lies()
    world.api.change = lambda batch: {"succeeded": max(0, batch.request_counts.succeeded + by)}
    world.split()
    world.ask()
    assert [failure.error for failure in world.ledger.shard_failures(world.upload.job_id)] == ["ResultsIncomplete"]
    world.resume()
    summary = world.run()
    assert (summary.status, summary.tally.answered, len(world.api.created)) == ("succeeded", 4, 1)


def test_a_round_that_a_resume_sent_is_not_forgotten() -> None:
    """The shard's part is older than the resume, whose create lost its response: that round may be paid."""

    def in_turn(request: dict[str, Any], before: int) -> dict[str, Any]:
        is_refused = request["custom_id"].endswith("1") and not before
        return errored("billing_error") if is_refused else echo(request)

    world = dropped(reviews(2))
    world.api = FakeBatchApi(in_turn=in_turn)
    world.run()
    world.resume()
    world.split()
    world.collect("msgbatch_0")
    world.api.lose_next = SubmissionUncertain("lost")
    with pytest.raises(SubmissionUncertain):
        world.submit_round(msgspec.structs.replace(world.state(), round=1, requests=1))
    world.ledger.fail(JOB, ShardFailure(0, "AccountTrouble", '{"errorMessage": "no list"}'))
    summary = world.close()
    assert [row["_status"] for row in _rows(world)] == ["answered", "uncertain"]
    assert summary.perhaps_paid.rows == 1
