"""One odd record costs one row at most: all others are delivered unchanged, and no row is paid for twice."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.odd_records import odd_usage, records_of
from batchdrop.answers.result import Usage
from batchdrop.live_lane.reply import Answer
from tests.fakes import FakeBatchApi, echo, errored
from tests.finish.odd_bodies import ANSWERED, EMPTY, FAILED, LEFT, UNREADABLE, Spoil
from tests.jobs import KEYS, RECIPE, World, dropped, reviews

ROWS = 12
UNPAID = {**FAILED, **LEFT}
ALL = {**ANSWERED, **UNPAID, **UNREADABLE}
ONE_ROUND = f"{RECIPE}max_rounds: 1\n"


def _spoiling(kind: str, row: int) -> Callable[[list[bytes]], list[bytes]]:
    """Return what spoils the record of one row, and only that."""
    own = b"-%06d" % row

    def spoil(lines: list[bytes]) -> list[bytes]:
        # A last line must not be the one that is glued to the next.
        ordered = sorted(lines, key=lambda line: own not in line)
        return [ALL[kind](line) if own in line else line for line in ordered]

    return spoil


def _job(kind: str, row: int, *, recipe: str = ONE_ROUND) -> World:
    world = dropped(reviews(ROWS), recipe=recipe)
    if kind in UNPAID:
        world.api = FakeBatchApi(
            result_of=lambda request: (
                errored("api_error") if request["custom_id"].endswith(f"-{row:06}") else echo(request)
            )
        )
    world.api.spoil = _spoiling(kind, row)
    return world


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


@given(st.sampled_from([*ALL]), st.integers(0, ROWS - 1))
def test_all_other_rows_are_delivered_unchanged(kind: str, row: int) -> None:
    """Each of them has its own answer, and the job is complete in its first download."""
    world = _job(kind, row)
    summary = world.run()
    assert (summary.status, summary.faults) == ("succeeded", [])
    others = [(number, found) for number, found in enumerate(_rows(world)) if number != row]
    assert [(found["_status"], found["answer"]) for _, found in others] == [
        ("answered", f"re: ask row {number}") for number, _ in others
    ]
    expected = "answered" if kind in ANSWERED else "unreadable" if kind in UNREADABLE else "failed"
    expected = "empty" if kind in EMPTY else expected
    assert _rows(world)[row]["_status"] == expected


@pytest.mark.parametrize("kind", [*ANSWERED, *FAILED, *UNREADABLE])
def test_a_row_that_may_be_paid_is_not_sent_again(kind: str) -> None:
    """Nor is a row that the API refused for good; rounds that are left do not matter."""
    world = _job(kind, 3, recipe=RECIPE)
    world.run()
    assert len(world.api.created) == 1


@pytest.mark.parametrize("kind", LEFT)
def test_an_unpaid_row_is_sent_again(kind: str) -> None:
    """The API bills answers only, whatever shape its error has."""
    world = _job(kind, 3, recipe=f"{RECIPE}max_rounds: 2\n")
    world.run()
    assert [len(requests) for requests in world.api.created.values()] == [ROWS, 1]


def test_texts_lose_only_what_is_no_character() -> None:
    """Half a surrogate pair and bytes that are not UTF-8 become U+FFFD; whole pairs and backslashes stay."""
    for kind, begins in {
        "half a surrogate pair": "\ufffd",
        "the other half": "\\\ufffd",
        "invalid UTF-8": "\ufffd\ufffd",
    }.items():
        world = _job(kind, 0)
        world.run()
        assert _rows(world)[0]["answer"] == f"{begins}ask row 0"
    [record] = records_of(
        b'{"custom_id":"a","result":{"type":"odd"},"pair":"\\ud83d\\ude00","none":"\\\\ud83d","half":"\\ud83d"}'
    )
    assert record is not None
    assert record.head.custom_id == "a"


@pytest.mark.parametrize("kind", ["usage null", "null token counts", "token counts of other types"])
def test_an_answer_without_usage_counts_no_tokens(kind: str) -> None:
    """It is delivered all the same, and counted as an answer."""
    world = _job(kind, 0)
    [tokens] = world.run().tokens
    assert (tokens.answers, tokens.input) == (ROWS, 10 * (ROWS - 1))


@pytest.mark.parametrize("kind", ALL)
def test_raw_answers_keep_the_odd_bytes(kind: str) -> None:
    """Every byte that was paid for stays in the bucket, and the job can be closed again from them."""
    world = _job(kind, 5)
    world.run()
    [batch] = world.api.created
    download = b"".join(world.api.results(world.api.retrieve(batch)))
    assert not Counter(download) - Counter(world.store.read(KEYS.answers(0, 0)))
    before = _rows(world)
    del world.store.objects[KEYS.part_tally(0, 1)]
    world.close()
    assert _rows(world) == before


def test_two_answers_without_custom_id_leave_two_rows_unreadable() -> None:
    """As many rows lack a line: none of them is sent again."""
    world = dropped(reviews(4))
    nameless = UNREADABLE["custom_id null"]
    world.api.spoil = lambda lines: [*map(nameless, lines[:2]), *lines[2:]]
    assert world.run().tally.statuses == {"answered": 2, "unreadable": 2}
    assert len(world.api.created) == 1


def test_what_follows_a_piece_of_a_record_on_its_line_is_read() -> None:
    """The next record begins at its custom_id."""
    whole = b'{"custom_id":"b","result":{"type":"expired"}}'
    pieces = [*records_of(b'{"custom_id":"a","resu' + whole + b'{"custom')]
    assert [piece and piece.head.custom_id for piece in pieces] == [None, "b", None]


@given(st.binary(max_size=60))
def test_no_bytes_raise(line: bytes) -> None:
    """Whatever they are, the records are read or counted."""
    for record in records_of(b'{"custom_id":"a","result":' + line):
        assert record is None or isinstance(record.line, bytes)


@pytest.mark.parametrize("kind", [kind for kind in ANSWERED if kind not in {"glued to the next line", "blank lines"}])
def test_a_live_answer_that_is_odd_is_paid_once(kind: str) -> None:
    """The request is not sent again: the body is a whole message."""
    world = dropped(reviews(4), recipe=f"{RECIPE}lane: live\n", live_rows=100)
    spoil: Spoil = ANSWERED[kind]
    prefix, suffix = b'{"custom_id":"x","result":{"type":"succeeded","message":', b"}}\n"
    sent: list[bytes] = []
    answer = world.messages.send

    async def send(params: bytes, **how: Any) -> Any:
        sent.append(params)
        reply = await answer(params, **how)
        assert isinstance(reply, Answer)
        if b"row 2" not in params:
            return reply
        bom = b"\xef\xbb\xbf" if kind == "a BOM" else b""
        odd = spoil(prefix + reply.body + suffix).strip(b"\xef\xbb\xbf\r\n")
        body = odd[odd.index(b'"message"') + 10 :].strip().removesuffix(b"}}")
        return Answer(bom + body if kind != "an unknown field" else reply.body, reply.headers)

    world.messages.send = send  # type: ignore[method-assign] # the fake misbehaves
    summary = world.run()
    assert (summary.tally.answered + summary.tally.unusable, len(sent)) == (4, 4)
    assert summary.tally.unusable == (kind in EMPTY)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"<html>", b'{"model":"m","content":[]', b'{"error":{}}', b"{}{}"]
)
def test_what_is_no_message_has_no_odd_usage(body: bytes) -> None:
    """A message cut short may be paid, and nobody can read it."""
    assert odd_usage(body) is None


def test_an_odd_message_has_the_usage_that_can_be_read() -> None:
    """Token counts that are numbers count."""
    assert odd_usage(b'{"model":null,"content":null,"usage":{"input_tokens":7}}') == Usage(input_tokens=7)
