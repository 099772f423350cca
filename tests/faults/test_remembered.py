"""Files that are sent again, edited, in the same storm; and a judge that sees what a broken store would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.answer_store.forgotten import Forgotten
from batchdrop.answer_store.key import Keys
from batchdrop.split.remembered_rows import RememberedRows
from tests.faults.run import run, run_seed
from tests.faults.schedule import plain

SMALL = plain(("", "", ""), remembered=True, shard_rows=2)


def test_no_answer_is_paid_twice_and_none_is_mixed_up() -> None:
    """Files are edited, rows are forgotten, functions die, jobs are canceled, and two of them run at once."""
    remembered = forgotten = 0
    for seed in range(6):
        report = run_seed(seed, kind="remembered")
        assert report.verdict.faults == []
        assert (report.verdict.lost, report.verdict.paid_twice) == (0, 0)
        remembered += report.counts["remembered"]
        forgotten += report.counts["forgotten"]
    assert remembered
    assert forgotten


def test_a_forgotten_answer_that_is_served_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that does not know the tombstones."""
    monkeypatch.setattr(Forgotten, "__bool__", lambda _: False)
    faults = [fault for seed in range(8) for fault in run_seed(seed, kind="remembered").verdict.faults]
    assert any("remembers an answer that is not its own" in fault for fault in faults)


def test_an_answer_of_another_row_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that all rows share serves any answer to any row."""
    assert run(SMALL).verdict.faults == []
    monkeypatch.setattr(Keys, "of", lambda _keys, _params: bytes(16))
    assert "remembers an answer that is not its own" in "\n".join(run(SMALL).verdict.faults)


def test_a_look_up_that_finds_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are paid again."""

    def nothing(_rows: RememberedRows, keys: Sequence[bytes | None]) -> list[Any]:
        return [None] * len(keys)

    monkeypatch.setattr(RememberedRows, "places", nothing)
    assert "was sent, and its answer is in the store" in "\n".join(run(SMALL).verdict.faults)


def test_runs_that_are_never_published_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a closed job paid for must be there for the next one."""
    monkeypatch.setattr(BucketAnswerStore, "publish", lambda *_args: None)
    assert "was sent, and its answer is in the store" in "\n".join(run(SMALL).verdict.faults)
