"""The judge knows who pays: answers that nobody counts, and rows that are paid or lost silently, are caught."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchdrop.admission import waves
from batchdrop.admission.admission import Admission
from batchdrop.admission.budget import Wave
from batchdrop.admission.budget_ledger import JobBudget
from batchdrop.answers.verdict import Verdict
from batchdrop.finish import close_job, collect_results, join_shard, next_round, next_wave
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.next_round import to_send_again
from batchdrop.job.manifest import Manifest
from batchdrop.live_lane.tries import Tries
from batchdrop.report.perhaps_paid import PerhapsPaid
from tests.faults.live_schedule import SMALL
from tests.faults.run import Report, run
from tests.faults.schedule import LONG, Rates, Schedule, plain

UNKNOWN = {"kind": "results_unknown_type", "lines": 1, "times": 2}  # the second download is believed
LASTING = {**UNKNOWN, "times": -1}
ODD: Schedule = plain(faults=(LASTING,), stormy_resumes=9)
LOSSY: Schedule = plain(("",) * 12, live=SMALL, rates=Rates(lost_answer=0.3), seed=3)


def _faults(report: Report) -> str:
    return "\n".join(report.verdict.faults)


def test_a_record_that_stays_odd_is_listed() -> None:
    """The job succeeds without one row, whose request is in the summary; a resume does not send it again."""
    report = run(ODD)
    assert not report.verdict.faults
    assert (report.endings, report.verdict.billed) == (["SUCCEEDED", "SUCCEEDED"], 3)


def test_a_record_that_is_odd_once_is_read_again() -> None:
    """The resume delivers it."""
    report = run(plain(faults=(UNKNOWN,)))
    assert not report.verdict.faults
    assert report.counts["resumed to read results again"] == 1


def test_a_request_that_nobody_lists_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bill is higher than the summary says."""
    monkeypatch.setattr(collect_results, "perhaps_paid_in", lambda *_args, **_options: PerhapsPaid())
    assert "above the summary's" in _faults(run(ODD))


def test_sending_an_unreadable_row_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first answer was paid."""

    def too_many(index: AnswerIndex, manifest: Manifest) -> tuple[set[int], set[int]]:
        leftovers, cut = to_send_again(index, manifest)
        return leftovers | {*index.rows_with(Verdict.PERHAPS_PAID)}, cut

    monkeypatch.setattr(next_round, "to_send_again", too_many)
    assert run(plain(faults=(UNKNOWN,))).verdict.paid_twice == 1


def test_a_row_that_may_be_paid_in_failed_jsonl_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user would drop it in again, and pay twice."""

    def both(part: Any, rows: list[Any], outcomes: list[Any], places: list[int]) -> None:
        is_failed = not isinstance(part, join_shard._PartIfNeeded)
        chosen = [place for place, one in enumerate(outcomes) if one.fate != "answered"] if is_failed else places
        if chosen:
            part.add([rows[place] for place in chosen], [outcomes[place] for place in chosen])

    monkeypatch.setattr(join_shard, "_add_some", both)
    assert "failed.jsonl has" in _faults(run(ODD))


def test_not_reading_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record can be read by then."""
    monkeypatch.setattr(collect_results, "read_again", lambda *_args, **_options: None)
    assert "not delivered by the resume" in _faults(run(plain(faults=(UNKNOWN,))))


def test_a_green_job_without_one_answer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its rows were refused."""
    schedule = plain(("[[refusal]]", "[[errored:invalid_request_error]]", "bad"))
    report = run(schedule)
    assert (report.endings, report.verdict.faults) == (["FAILED JobFailed"], [])
    monkeypatch.setattr(close_job, "too_few_answered", lambda *_args: [])
    assert "green without one answer" in _faults(run(schedule))


def test_a_lost_answer_that_nobody_lists_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of the live lane tries again, and does not say that the first try may be billed."""
    assert not run(LOSSY).verdict.faults
    monkeypatch.setattr(Tries, "perhaps_paid", property(lambda _tries: 0))
    assert "the summary lists fewer" in _faults(run(LOSSY))


WAVES: Schedule = plain(("", "", "", "", LONG, "", "", ""), goes_in_waves=True, max_cost_usd=0.0018)


def test_an_answer_that_a_wave_cut_is_sent_again_once() -> None:
    """Three rows show how long answers are; the long one of a later wave is cut, and paid once more, on purpose."""
    report = run(WAVES)
    assert not report.verdict.faults
    assert (report.endings, report.verdict.billed, report.verdict.sent_again) == (["SUCCEEDED"], 9, 1)


def test_an_answer_that_stays_cut_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit was ours, so the row must not be lost to it."""
    monkeypatch.setattr(AnswerIndex, "shortened", lambda _index: set())
    assert "not sent again" in _faults(run(WAVES))


def test_a_row_that_no_limit_cut_is_not_sent_again_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the first wave had the recipe's own limit: its second answer is paid twice."""
    own = AnswerIndex.shortened
    monkeypatch.setattr(AnswerIndex, "shortened", lambda index: own(index) | ({0} if index.attempts(0) == 1 else set()))
    assert run(WAVES).verdict.paid_twice == 1


def test_a_wave_that_holds_nothing_passes_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its plan must hold the worst case."""
    plan = JobBudget.plan

    def free(self: JobBudget, shard: int, number: int, wave: Wave, _usd: Decimal, *, cap: Decimal) -> Wave | None:
        return plan(self, shard, number, wave, Decimal(0), cap=cap)

    monkeypatch.setattr(JobBudget, "plan", free)
    monkeypatch.setattr(waves, "allowance", lambda *_args, **_least: Decimal(1))
    monkeypatch.setattr(next_wave, "allowance", lambda *_args, **_least: Decimal(1))
    monkeypatch.setattr(Admission, "_is_covered", lambda _self: True)
    report = run(plain(("",) * 8, goes_in_waves=True, max_cost_usd=0.00003))
    assert "max_cost_usd" in _faults(report)
