"""Rows that may be paid are in `perhaps-paid.jsonl`. A resume reads the API again for them, and never resends them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.errors import AccountTrouble, MessageBatchLost, ResultsIncomplete
from batchdrop.finish.read_again import settle_read_again
from batchdrop.job.submission import Halt, ShardFailure
from batchdrop.live_lane.slice import names_of_round
from batchdrop.live_lane.tries import Tries, as_text
from batchdrop.money.cost import dollars
from tests.fakes import START, FakeBatchApi, echo, errored, succeeded
from tests.finish.odd_bodies import UNREADABLE
from tests.jobs import JOB, KEYS, RECIPE, World, dropped, reviews

USER = {"role": "user", "content": "x"}
TWO_ROUNDS = f"{RECIPE}max_rounds: 2\n"


def _garbled(*rows: int, kind: str = "message null") -> Callable[[list[bytes]], list[bytes]]:
    own = [b"-%06d" % row for row in rows]
    return lambda lines: [UNREADABLE[kind](line) if any(one in line for one in own) else line for line in lines]


def _whole(lines: list[bytes]) -> list[bytes]:
    return lines


def _job(rows: int, *garbled: int, recipe: str = RECIPE) -> World:
    """Return a job whose results have unreadable records of some rows."""
    world = dropped(reviews(rows), recipe=recipe)
    world.api.spoil = _garbled(*garbled)
    return world


def _statuses(world: World) -> list[str]:
    return [row["_status"] for row in csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline=""))]


def _lines(world: World, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.result(name).splitlines()]


def test_an_unreadable_row_is_listed_apart() -> None:
    """With all that is needed to find its result; failed.jsonl, which may be dropped again, does not have it."""
    world = _job(4, 2)
    summary = world.run()
    [row] = _lines(world, "perhaps-paid.jsonl")
    assert (row["x"], row["_status"], row["_attempts"]) == ("row 2", "unreadable", 1)
    assert (row["_custom_id"], row["_message_batch"]) == (f"{JOB}-00000-000002", "msgbatch_0")
    assert world.result("failed.jsonl") == b""
    assert summary.outputs.perhaps_paid == f"results/r/f/{JOB}/perhaps-paid.jsonl"
    assert (summary.tally.answered, summary.tally.failed) == (3, 1)


def test_the_summary_lists_count_and_worst_cost() -> None:
    """The bill is the summary's cost, and up to the worst cost of the listed requests more."""
    world = _job(4, 1, 2)
    summary = world.run()
    assert (summary.perhaps_paid.rows, summary.perhaps_paid.requests) == (2, 2)
    assert summary.perhaps_paid.worst_usd is not None
    assert summary.cost.usd is not None
    each = summary.cost.usd / 2
    assert 2 * each <= summary.perhaps_paid.worst_usd < Decimal("0.02")


def test_the_worst_cost_counts_the_prompt_cache() -> None:
    """The marks are set while a body is sent. Writing a token for an hour costs twice a plain one."""
    recipe = f"{RECIPE}system: {{text: '{'Be short and kind. ' * 400}', cache: true}}\n"
    marked = _job(40, 2, recipe=recipe).run().perhaps_paid
    plain = _job(40, 2, recipe=recipe.replace("cache: true", "cache: false")).run().perhaps_paid
    assert (marked.requests, plain.requests) == (1, 1)
    assert marked.worst_usd is not None
    assert plain.worst_usd is not None
    assert Decimal("1.3") < marked.worst_usd / plain.worst_usd < 2


def test_a_job_without_such_rows_has_no_such_file() -> None:
    """Nor does its summary list anything."""
    world = _job(3)
    summary = world.run()
    assert (summary.perhaps_paid.requests, summary.outputs.perhaps_paid) == (0, None)
    assert not [key for key in world.store.under("results/") if key.endswith("perhaps-paid.jsonl")]


def test_an_unknown_price_is_not_0() -> None:
    """Ready-made requests name their own models."""
    lines = [
        {"custom_id": f"mine-{row}", "params": {"model": model, "max_tokens": 9, "messages": [USER]}}
        for row, model in enumerate(("claude-unheard-of-9", "claude-haiku-5-5"))
    ]
    world = dropped(b"".join(json.dumps(line).encode() + b"\n" for line in lines), key="inbox/f.jsonl", recipe=None)
    world.api = FakeBatchApi(result_of=lambda _request: succeeded("yes"))
    world.api.spoil = _garbled(0, 1)
    block = world.run().perhaps_paid
    assert (block.rows, block.requests, block.worst_usd) == (2, 2, None)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_resume_reads_the_api_again(kind: str) -> None:
    """What is readable now is delivered, in a job that had ended green; nothing is sent."""
    world = dropped(reviews(4))
    world.api.spoil = _garbled(2, kind=kind)
    assert world.run().status == "succeeded"
    world.api.spoil = _whole
    world.resume()
    summary = world.run()
    assert (summary.status, _statuses(world)) == ("succeeded", ["answered"] * 4)
    assert (summary.perhaps_paid.requests, summary.outputs.perhaps_paid, len(world.api.created)) == (0, None, 1)
    assert world.result("perhaps-paid.jsonl") == b""
    assert dollars(summary.tokens) == summary.cost.usd
    assert summary.tokens[0].answers == 4


def test_a_second_resume_keeps_what_the_first_one_read() -> None:
    """One row at a time becomes readable."""
    world = _job(4, 1, 2)
    world.run()
    for garbled, left in (((2,), 1), ((1,), 0)):
        world.api.spoil = _garbled(*garbled)
        world.resume()
        assert world.run().perhaps_paid.rows == left
    assert _statuses(world) == ["answered"] * 4
    assert len(world.api.created) == 1


def test_one_download_of_a_round_counts() -> None:
    """A slow collection got an odd record, its repetition did not: all parts and counts are of the same lines."""
    world = dropped(reviews(4))
    world.split()
    batch_id = world.submit().batch_id
    world.api.finish()

    def slowly(lines: list[bytes]) -> list[bytes]:
        world.api.spoil = _whole
        world.collect(batch_id)
        return _garbled(2)(lines)

    world.api.spoil = slowly
    assert world.collect(batch_id).tally == world.collect(batch_id).tally
    summary = world.close()
    assert (_statuses(world), summary.tally.answered) == (["answered"] * 4, 4)


def test_a_late_join_does_not_hide_what_was_read_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection is slow, its repetition reads the row and joins; then the slow one joins what it knows."""
    world = _job(4, 2)
    world.run()
    world.resume()
    settles = "batchdrop.finish.collect_results.settle_read_again"

    def slowly(*known: Any) -> str:
        monkeypatch.setattr(settles, settle_read_again)
        reading = settle_read_again(*known)
        world.api.spoil = _whole
        world.collect("msgbatch_0")
        return reading

    monkeypatch.setattr(settles, slowly)
    world.collect("msgbatch_0")
    world.close()
    assert _statuses(world) == ["answered"] * 4


def test_a_row_that_stays_unreadable_is_never_sent_again() -> None:
    """However often the job is resumed, and whatever rounds are left."""
    world = _job(3, 1)
    world.run()
    for _ in range(3):
        world.resume()
        assert world.run().tally.statuses == {"answered": 2, "unreadable": 1}
    assert len(world.api.created) == 1


@pytest.mark.parametrize("result", [errored("api_error"), {"type": "expired"}, errored("invalid_request_error")])
def test_a_row_that_proves_unpaid_fails_and_is_not_sent_again(result: dict[str, Any]) -> None:
    """Its record says so when it is read again: it is in failed.jsonl, and can be dropped again."""
    world = dropped(reviews(3), recipe=TWO_ROUNDS)
    world.api = FakeBatchApi(result_of=lambda request: result if request["custom_id"].endswith("1") else echo(request))
    world.api.spoil = lambda lines: [
        b'{"custom_id":"%s-00000-000001","result":{"type":"odd"}}\n' % JOB.encode() if b"-000001" in line else line
        for line in lines
    ]
    world.run()
    world.api.spoil = _whole
    world.resume()
    summary = world.run()
    assert (_statuses(world), summary.perhaps_paid.requests) == (["answered", "failed", "answered"], 0)
    assert [row["x"] for row in _lines(world, "failed.jsonl")] == ["row 1"]
    assert len(world.api.created) == 1


def test_a_follow_up_round_has_leftovers_only() -> None:
    """A row is unreadable, another one passes with an error: only that one is sent again, then and after a resume."""
    world = dropped(reviews(3), recipe=TWO_ROUNDS)
    world.api = FakeBatchApi(
        in_turn=lambda request, before: (
            errored("api_error") if request["custom_id"].endswith("0") and not before else echo(request)
        )
    )
    world.api.spoil = _garbled(2)
    world.run()
    rounds = [[request["custom_id"][-1] for request in requests] for requests in world.api.created.values()]
    assert rounds == [["0", "1", "2"], ["0"]]
    world.api.spoil = _whole
    world.resume()
    assert world.run().tally.answered == 3
    assert len(world.api.created) == 2


def test_an_answer_that_is_read_again_is_not_retried() -> None:
    """`retry` is for answers of the round: a create body that was sent must not change."""
    world = dropped(reviews(2), recipe=f"{RECIPE}retry: {{max_tokens: x2}}\n")
    world.api = FakeBatchApi(result_of=lambda _request: succeeded("cut", stop_reason="max_tokens"))
    world.api.spoil = _garbled(0)
    world.run()
    bodies = dict(world.api.bodies)
    world.api.spoil = _whole
    world.resume()
    world.run()
    assert (_statuses(world), world.api.bodies) == (["max_tokens", "max_tokens"], bodies)


def test_a_second_answer_that_cannot_be_read_is_listed_without_a_row() -> None:
    """The row has its first answer. The second request may be paid as well, and the summary lists it."""
    world = dropped(reviews(1), recipe=f"{RECIPE}retry: {{max_tokens: x2}}\n")
    world.api = FakeBatchApi(result_of=lambda _request: succeeded("cut", stop_reason="max_tokens"))
    spoils = iter((_whole, _garbled(0), _whole))

    def spoil(lines: list[bytes]) -> list[bytes]:
        return next(spoils)(lines)

    world.api.spoil = spoil
    block = world.run().perhaps_paid
    assert (_statuses(world), block.rows, block.requests) == (["max_tokens"], 0, 1)
    assert len(world.api.created) == 2  # `x2` sends a row once more, also if nobody can read what came of it
    world.resume()
    summary = world.run()
    assert (summary.perhaps_paid.requests, summary.tokens[0].answers) == (0, 2)


def test_rows_that_share_a_request_are_one_request() -> None:
    """All of them are listed, with the custom_id of the row that was sent."""
    world = dropped(b"x\nsame\nsame\nother\n", recipe=f"{RECIPE}dedupe: true\n")
    world.api.spoil = _garbled(0)
    block = world.run().perhaps_paid
    assert (block.rows, block.requests) == (2, 1)
    assert {row["_custom_id"] for row in _lines(world, "perhaps-paid.jsonl")} == {f"{JOB}-00000-000000"}


@pytest.mark.parametrize("trouble", [ResultsIncomplete("none"), AccountTrouble("HTTP 403")])
def test_uncertain_rows_are_listed_apart(trouble: Exception) -> None:
    """No result can be read: every row may be paid, and a resume reads the results."""
    world = dropped(reviews(3))
    world.api.unreadable = trouble
    summary = world.run()
    assert (summary.tally.statuses, summary.perhaps_paid.requests) == ({"uncertain": 3}, 3)
    assert world.result("failed.jsonl") == b""
    assert [row["_message_batch"] for row in _lines(world, "perhaps-paid.jsonl")] == ["msgbatch_0"] * 3
    world.api.unreadable = None
    world.resume()
    assert (world.run().tally.answered, len(world.api.created)) == (3, 1)
    assert world.result("perhaps-paid.jsonl") == b""


@pytest.mark.parametrize("is_canceled", [True, False])
def test_a_round_that_was_sent_and_never_collected_is_uncertain(is_canceled: bool) -> None:  # noqa: FBT001 - a case
    """Also if the user canceled the job, or if the shard's failure was not recorded: its rows may be paid."""
    world = dropped(reviews(2))
    world.split()
    world.submit()
    if is_canceled:
        world.ledger.halt(JOB, Halt("JobCanceled", "you canceled the job", START))
    summary = world.close()
    assert summary.status == ("canceled" if is_canceled else "failed")
    assert summary.tally.statuses == {"uncertain": 2}
    assert world.result("failed.jsonl") == b""


def test_results_that_are_gone_fail_the_resume_and_keep_the_list() -> None:
    """The answers stay, the fault says what is wrong, and nothing is sent."""
    world = _job(3, 1)
    world.run()
    world.api.unreadable = MessageBatchLost("msgbatch_0")
    world.resume()
    summary = world.run()
    assert (summary.status, summary.faults[0].type) == ("failed", "MessageBatchLost")
    assert (summary.perhaps_paid.rows, _statuses(world)) == (1, ["answered", "unreadable", "answered"])
    assert len(world.api.created) == 1


def test_nothing_is_read_again_without_need() -> None:
    """A resume of a job without such rows reads no results, and neither does a first execution."""
    world = _job(3)
    world.run()
    reads = world.api.reads
    world.resume()
    world.run()
    assert world.api.reads == reads
    assert not world.store.exists(KEYS.read_again(0))


@pytest.mark.parametrize("is_canceled", [False, True], ids=["no worker came", "canceled"])
def test_tries_that_no_worker_took_on_are_listed(is_canceled: bool) -> None:  # noqa: FBT001 - a case
    """A worker ended after two answers were lost, and no other came to these rows: only the ledger knows of them."""
    world = dropped(reviews(4), recipe=f"{RECIPE}lane: live\n")
    world.split()
    lease = world.leases.take(JOB, f"{names_of_round(0, 0)}00000", "a", now=START, until=START)
    tries = {f"{JOB}-00000-000001": Tries(lost=1), f"{JOB}-00000-000002": Tries(errors=2), "odd": Tries(failures=3)}
    world.leases.release(lease, START, done=0, tries=as_text(tries))
    if is_canceled:
        world.ledger.halt(JOB, Halt("JobCanceled", "you canceled the job", START))
    world.collect_round(world.state())
    summary = world.close()
    assert (summary.perhaps_paid.rows, summary.perhaps_paid.requests) == (1, 3)
    assert [row["x"] for row in _lines(world, "perhaps-paid.jsonl")] == ["row 1"]


def test_a_closed_job_lists_the_tries_of_a_round_that_nobody_collected() -> None:
    """The close of a failed job finds them as it finds flushed answers."""
    world = dropped(reviews(4), recipe=f"{RECIPE}lane: live\n")
    world.split()
    lease = world.leases.take(JOB, f"{names_of_round(0, 0)}00000", "a", now=START, until=START)
    world.leases.release(lease, START, done=0, tries=as_text({f"{JOB}-00000-000001": Tries(lost=1)}))
    world.ledger.fail(JOB, ShardFailure(0, "States.Timeout", "the task took too long"))
    summary = world.close()
    assert (summary.perhaps_paid.rows, summary.perhaps_paid.requests) == (1, 1)
