"""Disagreements that pile up in a part of the file are found, and even ones hardly ever are."""

from __future__ import annotations

import random

from batchdrop.saver.drift import Drift, drift_along

KEEP = 0.98
FILE, SAMPLE = 100_000, 1_000


def _drift(rate_in_the_end: float, rate: float, seed: int) -> Drift | None:
    """Compare random rows of a file whose last fifth has another rate of errors."""
    rng = random.Random(seed)
    rows = rng.sample(range(1, FILE + 1), SAMPLE)
    wrong = {row for row in rows if rng.random() < (rate_in_the_end if row > FILE * 0.8 else rate)}
    return drift_along(rows, wrong, KEEP)


def test_a_bad_end_of_the_file_is_found() -> None:
    """The last fifth has 8 % of wrong rows, the rest 0.2 %: 1.8 % of the file, so a certificate may pass it."""
    found = [_drift(0.08, 0.002, seed) for seed in range(100)]
    known = [one for one in found if one is not None]
    assert len(known) > 70
    assert all(one.last > FILE * 0.8 and one.disagreed > 0 for one in known)
    assert FILE * 0.7 < sorted(one.first for one in known)[35] < FILE * 0.95
    assert sum(_drift(0.15, 0.002, seed) is not None for seed in range(100)) > 95


def test_even_errors_raise_no_alarm() -> None:
    """A plan at the very edge of its promise is taken for a drifting one in at most 5 % of files."""
    assert sum(_drift(0.02, 0.02, seed) is not None for seed in range(1_000)) <= 50


def test_a_plan_without_an_error_does_not_drift() -> None:
    """Nor does one of which few rows were compared."""
    assert drift_along(range(1, 1_001), set(), KEEP) is None
    assert drift_along([1, 2, 3], {3}, KEEP) is None
