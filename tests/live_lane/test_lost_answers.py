"""Requests of the live lane that may be paid without an answer: counted in their lines, and never left for a round."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from batchdrop.errors import AccountTrouble
from batchdrop.live_lane.reply import Answer, Passing, Refused, Throttled
from batchdrop.live_lane.tries import MOST_FAILURES, MOST_LOST
from batchdrop.report.summary import Summary
from tests.jobs import RECIPE, World, dropped, reviews
from tests.live_fakes import FakeMessageApi, echoed
from tests.live_lane.slices import SliceWorld
from tests.virtual_time import run

DROPPED = Passing("api_error", "the connection broke", is_uncertain=True)
BUSY = Passing("api_error", "HTTP 500")
ERROR = Passing("api_error", "HTTP 502", is_server_error=True)
NO_MESSAGES = [b"<html>", b'{"type":"mess', b'{"id":1}', b""]


def _of_row(number: int, reply: Any, *, times: int = 99) -> FakeMessageApi:
    """Return an API that answers one row so, and then as all others."""
    return FakeMessageApi(script=lambda prompt, before: reply if prompt == f"row {number}" and before < times else None)


def test_lost_tries_are_in_the_line_of_the_answer() -> None:
    """The same worker tries again, and each lost try may be billed."""
    world = SliceWorld(api=_of_row(3, DROPPED, times=1))
    run(world.work())
    assert [line.get("lost", 0) for line in world.lines] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert world.told[3] == "re: row 3"


def test_a_row_without_an_answer_is_uncertain_if_one_try_was_lost() -> None:
    """Its other tries cost nothing; a row whose tries all cost nothing is a leftover."""
    replies = iter([BUSY, DROPPED, BUSY, BUSY])
    api = FakeMessageApi(
        script=lambda prompt, _before: next(replies) if prompt == "row 0" else BUSY if prompt == "row 1" else None
    )
    world = SliceWorld(rows=2, api=api)
    counts = run(world.work()).counts
    assert (world.told, counts.errored, counts.uncertain) == (["uncertain", "api_error"], 2, 1)
    assert (world.lines[0]["lost"], "lost" in world.lines[1]) == (1, False)


def test_a_row_that_met_server_errors_alone_is_a_leftover_that_lists_them() -> None:
    """The API says that they are not billed, so a later round sends the row; a gateway may be wrong."""
    world = SliceWorld(rows=1, api=FakeMessageApi(script=lambda *_: ERROR))
    run(world.work())
    assert (world.told, world.lines[0]["lost"]) == (["api_error"], MOST_FAILURES)


def test_a_refusal_after_a_server_error_stays_a_refusal() -> None:
    """The row's line has its last error, which no round sends again."""
    refused = Refused("invalid_request_error", "no")
    world = SliceWorld(rows=1, api=FakeMessageApi(script=lambda _prompt, before: refused if before else ERROR))
    run(world.work())
    assert (world.told, world.lines[0]["lost"]) == (["invalid_request_error"], 1)


@pytest.mark.parametrize("last", [Refused("invalid_request_error", "no"), AccountTrouble("HTTP 402")])
def test_an_end_after_a_lost_try_is_uncertain(last: Any) -> None:
    """The row may be paid, whatever ends its tries."""
    world = SliceWorld(rows=1, api=FakeMessageApi(script=lambda _prompt, before: last if before else DROPPED))
    run(world.work())
    assert (world.told, world.lines[0]["lost"]) == (["uncertain"], 1)


def test_tries_count_over_all_workers() -> None:
    """A worker whose time ends hands the tries on, so ten workers buy a row no more often than one."""
    world = SliceWorld(rows=30, api=FakeMessageApi(script=lambda _prompt, _before: (30.0, DROPPED)))

    async def all_of_them() -> None:
        for end in range(200, 2_200, 200):
            await world.work(seconds=end, window=30)
            await asyncio.sleep(end - asyncio.get_running_loop().time())

    run(all_of_them())
    assert world.told == ["uncertain"] * 30
    assert [line["lost"] for line in world.lines] == [MOST_LOST] * 30
    assert len(world.api.asked) == 30 * MOST_LOST


GATEWAY = Throttled("api_error", "HTTP 502", is_global=True, is_server_error=True)


def test_a_quick_502_uses_up_no_try() -> None:
    """The gateway reached nobody; each is listed, because it may be wrong."""
    world = SliceWorld(rows=1, api=_of_row(0, (0.2, GATEWAY), times=9))
    run(world.work())
    assert (world.told, world.lines[0]["lost"]) == (["re: row 0"], 9)


def test_a_slow_502_is_a_lost_answer() -> None:
    """The gateway did not wait for the answer, which is paid: it is bought once more, and no third time."""
    world = SliceWorld(rows=1, api=_of_row(0, (60.0, GATEWAY)))
    run(world.work())
    assert (world.told, world.lines[0]["lost"], len(world.api.asked)) == (["uncertain"], MOST_LOST, MOST_LOST)


def test_failures_count_over_all_workers_too() -> None:
    """The next worker sends a row that failed three times once more."""
    world = SliceWorld(rows=1, api=FakeMessageApi(script=lambda _prompt, _before: (35.0, ERROR)))

    async def all_of_them() -> list[int]:
        asked = []
        for end in (200, 400, 600):
            await world.work(seconds=end)
            await asyncio.sleep(end - asyncio.get_running_loop().time())
            asked.append(len(world.api.asked))
        return asked

    asked = run(all_of_them())
    assert asked[0] < MOST_FAILURES == asked[-1]
    assert (world.told, world.lines[0]["lost"]) == (["api_error"], MOST_FAILURES)


@pytest.mark.parametrize("body", NO_MESSAGES)
def test_an_answer_that_is_no_message_is_unreadable(body: bytes) -> None:
    """It may be billed, so it is not sent again; its bytes are kept."""
    world = SliceWorld(api=_of_row(3, Answer(body)))
    counts = run(world.work()).counts
    assert (world.told[3], world.api.asked.count("row 3"), counts.uncertain) == ("unreadable", 1, 1)
    assert (world.lines[3]["lost"], world.lines[3]["result"].get("body", "")) == (1, body.decode())


def test_half_a_surrogate_pair_is_an_answer() -> None:
    """Models write it, and the strict decoders refuse it; it is bought once and delivered."""
    body = echoed("row 0").body.replace(b"re: row 0", b"re: row 0 \\ud83d")
    world = SliceWorld(rows=1, api=FakeMessageApi(script=lambda *_: Answer(body)))
    counts = run(world.work()).counts
    assert (counts.answered, counts.uncertain, len(world.api.asked)) == (1, 0, 1)
    assert b"\\ud83d" in b"".join(world.flushes.values())


def test_bytes_that_are_no_text_are_kept_escaped() -> None:
    """The line stays JSON."""
    world = SliceWorld(rows=1, api=FakeMessageApi(script=lambda *_: Answer(b"\xff\x00<")))
    run(world.work())
    assert world.lines[0]["result"]["body"] == "\\xff\x00<"


def _live(script: Any, *, rows: int = 3) -> tuple[World, Summary]:
    world = dropped(reviews(rows), recipe=f"{RECIPE}lane: live\n", live_rows=100)
    world.messages = FakeMessageApi(script=script)
    return world, world.run()


@pytest.mark.parametrize(("reply", "status"), [(DROPPED, "uncertain"), (Answer(b"<html>"), "unreadable")])
def test_no_round_and_no_resume_sends_such_a_row_again(reply: Any, status: str) -> None:
    """It is in perhaps-paid.jsonl, without a Message Batch; failed.jsonl, which may be dropped again, lacks it."""
    world, summary = _live(lambda prompt, _before: reply if "row 1" in prompt else None)
    tries = MOST_LOST if reply is DROPPED else 1
    assert summary.tally.statuses == {"answered": 2, status: 1}
    assert (summary.perhaps_paid.rows, summary.perhaps_paid.requests) == (1, tries)
    [row] = [json.loads(line) for line in world.result("perhaps-paid.jsonl").splitlines()]
    assert (row["x"], row["_message_batch"], row["_attempts"]) == ("row 1", None, 1)
    assert world.result("failed.jsonl") == b""
    world.resume()
    world.run()
    assert world.messages.asked.count("ask row 1") == tries


def test_lost_tries_of_answered_rows_are_in_the_summary() -> None:
    """The bill may be higher than the answers' cost by that much, and no more."""
    _, summary = _live(lambda _prompt, before: DROPPED if not before else None)
    assert (summary.tally.answered, summary.perhaps_paid.rows, summary.perhaps_paid.requests) == (3, 0, 3)
    assert summary.cost.usd is not None
    assert summary.perhaps_paid.worst_usd is not None
    assert summary.perhaps_paid.worst_usd >= summary.cost.usd
