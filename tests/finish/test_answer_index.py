"""The index of results: rows find their last word, however the bytes came."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers import custom_id
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.stored_lines import line_blocks, whole_lines

JOB, SHARD, ROWS = "20261128T120000-0123456789", 3, 6

texts = st.text(alphabet='aé\\"\n😀', max_size=30)
results = st.tuples(st.integers(0, ROWS - 1), st.sampled_from(["end_turn", "max_tokens", "expired"]), texts)


def _line(row: int, kind: str, text: str, *, shard: int = SHARD, tier: str | None = None) -> bytes:
    result: dict[str, object] = {"type": "expired"}
    if kind != "expired":
        usage = {"service_tier": tier} if tier else {}
        message = {"model": "m", "content": [{"type": "text", "text": text}], "stop_reason": kind, "usage": usage}
        result = {"type": "succeeded", "message": message}
    address = custom_id.after(custom_id.prefix(JOB, shard), row)
    return json.dumps({"custom_id": address, "result": result}, ensure_ascii=False).encode()


def _cut(body: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return (body[start:end] for start, end in pairwise(places))


def _filled(*rounds: Iterable[Iterable[bytes]]) -> tuple[list[tuple[Verdict, bytes | None]], AnswerIndex]:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - the index that is returned reads it
    index = AnswerIndex(spool, job_id=JOB, shard=SHARD, rows=ROWS)
    for sources in rounds:
        index.fill(*sources)
    return list(zip(map(index.verdict, range(ROWS)), index.lines(range(ROWS)), strict=True)), index


@given(st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b"")), max_size=8), st.lists(st.integers(0)))
def test_blocks_have_whole_lines(lines: list[bytes], cuts: list[int]) -> None:
    """Wherever bytes are cut, lines come whole, each once; the last one's newline may be missing."""
    body = b"\n".join(lines)
    blocks = list(line_blocks(_cut(body, cuts)))
    assert all(block.endswith(b"\n") for block in blocks)
    assert b"".join(blocks).removesuffix(b"\n") == body.removesuffix(b"\n")
    assert list(whole_lines(_cut(body, cuts))) == (body.removesuffix(b"\n").split(b"\n") if body else [])


@given(st.lists(results, unique_by=lambda one: one[0]), st.lists(st.integers(0)), st.sampled_from([b"\n", b"\r\n\n"]))
def test_rows_find_their_lines_however_they_come(
    lines: list[tuple[int, str, str]], cuts: list[int], between: bytes
) -> None:
    """Cut anywhere, with blank lines and foreign ones between: each row has its own line."""
    body = between.join([_line(*one) + between + _line(one[0], "expired", "", shard=4) for one in lines])
    found, index = _filled([_cut(body, cuts)])
    words = {"end_turn": Verdict.ANSWERED, "max_tokens": Verdict.CUT, "expired": Verdict.LEFTOVER}
    expected: list[tuple[Verdict, bytes | None]] = [(Verdict.NOTHING, None)] * ROWS
    for row, kind, text in lines:
        expected[row] = (words[kind], _line(row, kind, text))
    assert [(word, line.strip() if line else None) for word, line in found] == expected
    assert (index.found, index.foreign) == (len(lines), len(lines))
    assert index.paid == sum(kind != "expired" for _, kind, _ in lines)


@given(st.lists(st.lists(results, unique_by=lambda one: one[0]), max_size=4))
def test_what_was_paid_is_never_replaced_by_what_was_not(rounds: list[list[tuple[int, str, str]]]) -> None:
    """A later answer replaces an earlier one, which is kept count of; a later failure replaces no answer."""
    found, index = _filled(*([[_line(*one) + b"\n" for one in lines]] for lines in rounds))
    for row in range(ROWS):
        mine = [one for lines in rounds for one in lines if one[0] == row]
        paid = [one for one in mine if one[1] != "expired"]
        last = next(reversed(paid or mine), None)
        assert found[row][1] == (None if last is None else _line(*last))
    paid_lines = [_line(*one) for lines in rounds for one in lines if one[1] != "expired"]
    kept = [line for word, line in found if word >= Verdict.CUT and line is not None]
    assert sorted([*index.replaced_paid(), *kept]) == sorted(paid_lines)


KINDS = {"good": ("end_turn", 3), "bad": ("end_turn", 2), "cut": ("max_tokens", 1), "expired": ("expired", 0)}


@pytest.mark.parametrize(("first", "second"), [*product(KINDS, KINDS)])
def test_of_two_live_answers_the_better_one_is_kept(first: str, second: str) -> None:
    """Two workers sent the row, and both answers are billed. A whole answer replaces a cut or invalid one."""
    words = [Verdict.LEFTOVER, Verdict.CUT, Verdict.INVALID, Verdict.ANSWERED]
    lines = [_line(0, KINDS[kind][0], kind, tier="standard") for kind in (first, second)]
    with tempfile.TemporaryFile() as spool:
        index = AnswerIndex(spool, job_id=JOB, shard=SHARD, rows=1, breaks=lambda line: b'"bad"' in line)
        index.fill([line + b"\n" for line in lines])
        is_better = KINDS[second][1] > KINDS[first][1]
        assert index.lines([0]) == [lines[is_better]]
        assert index.verdict(0) == words[max(KINDS[first][1], KINDS[second][1])]
        paid = [line for line, kind in zip(lines, (first, second), strict=True) if kind != "expired"]
        kept = [line for line in index.lines([0]) if line in paid]
        assert sorted([*index.replaced_paid(), *kept]) == sorted(paid)


@pytest.mark.parametrize("tier", [None, "batch"])
def test_a_line_that_a_message_batch_repeats_is_a_copy(tier: str | None) -> None:
    """It is billed once, so nothing is replaced."""
    lines = [_line(0, kind, "a text", tier=tier) + b"\n" for kind in ("max_tokens", "end_turn")]
    found, index = _filled([lines])
    assert (found[0][0], [*index.replaced_paid()]) == (Verdict.CUT, [])


def test_a_source_sees_what_came_before_it() -> None:
    """What stands for a missing line is asked for when all lines before it are known."""
    with tempfile.TemporaryFile() as spool:
        index = AnswerIndex(spool, job_id=JOB, shard=SHARD, rows=2)
        missing = (_line(row, "expired", "") for row in range(2) if not index.has_line(row))
        index.fill([_line(0, "end_turn", "yes")], missing)
        assert [index.verdict(row) for row in range(2)] == [Verdict.ANSWERED, Verdict.LEFTOVER]


def test_a_broken_line_is_counted() -> None:
    """It gives no row a line: a stream that broke ends in such a line, and the row must be fetched again."""
    body = b"\n".join([_line(0, "end_turn", ""), _line(1, "end_turn", "")[:-9]])
    found, index = _filled([[body]])
    assert (index.found, index.broken, found[1]) == (1, 1, (Verdict.NOTHING, None))


@given(st.lists(st.integers(0, 400), min_size=1, max_size=ROWS), st.integers(1, 1500))
def test_lines_are_read_together_up_to_a_weight(lengths: list[int], most: int) -> None:
    """So many of the first rows that their lines weigh at most that; one row at least."""
    body = [_line(row, "end_turn", "x" * length) + b"\n" for row, length in enumerate(lengths)]
    _, index = _filled([body])
    wanted = [*range(len(lengths)), None]
    count = index.fitting(wanted, most)
    weights = [len(line) - 1 for line in body] + [0]
    assert count >= 1
    assert count == 1 or sum(weights[:count]) <= most
    assert count == len(wanted) or sum(weights[: count + 1]) > most
