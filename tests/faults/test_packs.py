"""Schedules of packs: no pack is paid twice, no answered row is sent again, and the judge notices if one is."""

from __future__ import annotations

import pytest

from batchdrop.answers.pack_members import PackMembers
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from tests.faults.run import Report, run, run_seed
from tests.faults.schedule import Schedule, plain

PACKED: Schedule = plain(("", "", "[[pack_missing]]", "", "", ""), pack=3)


def _faults(report: Report) -> str:
    return "\n".join(report.verdict.faults)


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_packs_lose_nothing_and_pay_nothing_twice(first: int) -> None:
    """Whatever the model leaves out, invents or doubles, and whatever else a schedule breaks."""
    for seed in range(first, first + 10):
        report = run_seed(seed, kind="packs")
        assert not report.verdict.faults, (seed, report.verdict.faults)


@pytest.mark.parametrize(
    "seed",
    [
        5,  # a pack with a row that fails each time was sent again and again, and its neighbours with it
        416,  # with a cap, a cut answer of a row alone was not escalated
    ],
)
def test_what_once_failed(seed: int) -> None:
    """Seeds that found something."""
    assert not run_seed(seed, kind="packs").verdict.faults


def test_a_missed_row_is_billed_alone_once() -> None:
    """Two packs, and one row."""
    report = run(PACKED)
    assert (report.endings, report.verdict.faults, report.verdict.billed) == (["SUCCEEDED"], [], 3)


def test_a_row_that_is_sent_again_after_its_pack_answered_it_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of a pack is sent alone, too."""

    def all_rows(index: AnswerIndex) -> set[int]:
        return {row for row in index.rows_with(Verdict.ANSWERED) if index.attempts(row) == 1}

    monkeypatch.setattr(AnswerIndex, "missed", all_rows)
    report = run(PACKED)
    assert report.verdict.paid_twice >= 5
    assert "was answered in a pack, and billed alone" in _faults(report)


def test_answers_in_the_wrong_rows_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The join takes the pack's rows in another order."""
    own = PackMembers.pack_of
    monkeypatch.setattr(PackMembers, "pack_of", lambda members, first: own(members, first)[::-1])
    assert "an answer that is not its own" in _faults(run(PACKED))
