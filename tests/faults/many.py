"""Many schedules, one after the other, and what they come to."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.run import run_seed


@dataclass
class Totals:
    """What many runs come to."""

    schedules: int = 0
    rows: int = 0
    billed: int = 0
    lost: int = 0
    paid_twice: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    failing: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Totals) -> None:
        """Add what other runs came to."""
        for name in ("schedules", "rows", "billed", "lost", "paid_twice"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.counts += other.counts
        self.endings += other.endings
        self.failing |= other.failing


def log_nothing() -> None:
    """Silence the log: of many schedules, only the verdicts count. A replay logs all."""
    logging.disable(logging.CRITICAL)


def run_many(seeds: list[int], kind: str = "plain") -> Totals:
    """Run the schedules of these seeds, made into one of KINDS, one after the other."""
    totals = Totals()
    for seed in seeds:
        totals.schedules += 1
        try:
            report = run_seed(seed, kind=kind)
        except Exception:  # noqa: BLE001 - a broken harness is a failing seed, too
            totals.failing[seed] = [traceback.format_exc().strip().splitlines()[-1]]
            continue
        totals.rows += report.rows
        totals.billed += report.verdict.billed
        totals.lost += report.verdict.lost
        totals.paid_twice += report.verdict.paid_twice
        totals.counts += report.counts
        totals.counts += Counter({"cut by a wave's limit, sent again": report.verdict.sent_again})
        totals.endings[report.endings[-1]] += 1
        if report.verdict.faults:
            totals.failing[seed] = report.verdict.faults
    return totals
