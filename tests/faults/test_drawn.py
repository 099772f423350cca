"""Random samples in a storm; and a judge that sees what a broken one would do."""

from __future__ import annotations

import pytest

from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.split.random_sample import DrawnRows
from tests.faults.drawn_rows import DrawnRows as Drawn
from tests.faults.run import run, run_seed
from tests.faults.schedule import Schedule, plain
from tests.proofs import in_check


def _small() -> Schedule:
    return plain(("",) * 6, shard_rows=2, sample=2, drawn=Drawn())


@pytest.mark.parametrize("first", in_check(range(0, 40, 10), {0}))
def test_a_row_of_the_sample_is_paid_once_and_stands_in_its_place(first: int) -> None:
    """In either lane, in packs, escalated, canceled, resumed, retried: no row is sent twice, and none is lost."""
    for seed in range(first, first + 10):
        assert not run_seed(seed, kind="drawn").verdict.faults, seed


def test_a_random_sample_in_waves() -> None:
    """Under a cap far below the worst case, too."""
    for seed in range(6):
        assert not run_seed(seed, kind="drawn_waves").verdict.faults, seed


@pytest.mark.parametrize(
    "seed",
    [
        113,  # a file without a row that can be read: the split failed, without a reason
    ],
)
def test_what_once_failed(seed: int) -> None:
    """Seeds that found something."""
    assert not run_seed(seed, kind="drawn").verdict.faults


def test_a_row_that_is_also_sent_by_its_own_shard_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard must know which rows the sample sends."""
    report = run(_small())
    assert (report.verdict.faults, report.verdict.billed) == ([], 6)
    monkeypatch.setattr(DrawnRows, "lenders", lambda *_args: None)
    assert "was sent by the sample, and by its own shard" in "\n".join(run(_small()).verdict.faults)


def test_a_row_without_the_sample_s_answer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shard must give it the sample's line."""
    monkeypatch.setattr(AnswerIndex, "borrow", lambda *_args: None)
    assert "has a collected answer, but the output says" in "\n".join(run(_small()).verdict.faults)
