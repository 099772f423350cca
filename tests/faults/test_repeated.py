"""Rows that ask the same as earlier ones, in a storm; and a judge that sees what a broken sharing would do."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.requests.dedupe import EarlierRequests
from tests.faults.run import run, run_seed
from tests.faults.schedule import plain

SMALL = plain(("", "", "", "", ""), repeats=((3, 0), (4, 1)), shard_rows=3)


def test_each_request_is_sent_once_and_answers_all_its_rows() -> None:
    """However shards are cut, and whatever dies."""
    for seed in range(8):
        report = run_seed(seed, kind="repeated")
        assert report.verdict.faults == []
        assert (report.verdict.lost, report.verdict.paid_twice) == (0, 0)


def test_a_row_without_its_shared_answer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The closing must give it the line of the row that was sent."""
    assert run(SMALL).verdict.faults == []
    monkeypatch.setattr(AnswerIndex, "borrow", lambda *_args: None)
    assert "row 3 repeats row 0" in "\n".join(run(SMALL).verdict.faults)


def test_an_answer_of_another_row_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The right row of the right shard must lend it."""
    borrow = AnswerIndex.borrow
    lines: list[bytes] = []

    def mixed_up(self: AnswerIndex, row: int, line: bytes, sent: Any) -> None:
        lines.append(line)
        borrow(self, row, lines[0], sent)

    monkeypatch.setattr(AnswerIndex, "borrow", mixed_up)
    assert "row 4 repeats row 1" in "\n".join(run(SMALL).verdict.faults)


def test_a_request_that_is_sent_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later shard must know what earlier ones send."""
    monkeypatch.setattr(EarlierRequests, "lenders", lambda *_args: None)
    assert "asks the same" in "\n".join(run(SMALL).verdict.faults)
