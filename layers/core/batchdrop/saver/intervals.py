"""Intervals for a share, from how many of some rows have a property."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from batchdrop.saver.binomial import beta_quantile

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """The ends of an interval, both from 0 to 1."""

    low: float
    high: float


def clopper_pearson(count: int, rows: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact interval: it holds the true share with at least this confidence. (0, 1) without rows."""
    miss = (1 - confidence) / 2
    return Interval(lower_bound(count, rows, 1 - miss), upper_bound(count, rows, 1 - miss))


def lower_bound(count: int, rows: int, confidence: float = CONFIDENCE) -> float:
    """Return what the true share exceeds with at least this confidence, one-sided and exact."""
    return beta_quantile(1 - confidence, count, rows - count + 1) if count else 0.0


def upper_bound(count: int, rows: int, confidence: float = CONFIDENCE) -> float:
    """Return what the true share is below with at least this confidence, one-sided and exact."""
    return beta_quantile(confidence, count + 1, rows - count) if count < rows else 1.0


def wilson(count: float, rows: float, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's interval, which is right on average. `rows` may be an effective size. (0, 1) without rows."""
    if not rows:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, scale = count / rows, 1 + z * z / rows
    middle = share + z * z / (2 * rows)
    off = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return Interval(max(0.0, (middle - off) / scale), min(1.0, (middle + off) / scale))
