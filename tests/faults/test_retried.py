"""A retry after the job's end, in the same storm; and a judge that sees what a broken one would do."""

from __future__ import annotations

import msgspec
import pytest

from batchdrop.answers.outcome import Outcome
from batchdrop.finish import stitch_versions
from batchdrop.report.tally import Tally
from tests.faults.run import run, run_seed
from tests.faults.schedule import plain

SMALL = plain(("", "[[refusal]]", "", "[[max_tokens]]"), retried=True, shard_rows=2)


def test_a_retry_pays_for_nothing_twice() -> None:
    """After the job's end its failed rows are sent again; the command is repeated, and functions die."""
    again = 0
    for seed in range(8):
        report = run_seed(seed, kind="retried")
        assert report.verdict.faults == []
        assert (report.verdict.lost, report.verdict.paid_twice) == (0, 0)
        again += report.counts["sent again by a retry"]
    assert again


def test_a_lost_answer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The retry's unpaid result must not replace the paid answer of the first version."""
    assert run(SMALL).verdict.faults == []

    def broken(_old: Outcome, new: Outcome) -> Outcome:
        return msgspec.structs.replace(new, fate="failed", status="failed")

    monkeypatch.setattr(stitch_versions, "newer", broken)
    assert "has lost its paid answer" in "\n".join(run(SMALL).verdict.faults)


def test_a_bill_of_one_version_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest summary has the cost of all versions."""
    merge = Tally.merge

    def broken(self: Tally, other: Tally) -> None:
        if other.rows:  # the bill of a later version has no rows
            merge(self, other)

    monkeypatch.setattr(Tally, "merge", broken)
    assert "above the summary's" in "\n".join(run(SMALL).verdict.faults)
