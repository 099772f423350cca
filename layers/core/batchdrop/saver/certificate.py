"""What proves that a plan agrees with the reference often enough, corrected for the number of plans tried."""

from __future__ import annotations

from collections.abc import Sequence

from batchdrop.saver.binomial import cdf

SMALL = 100_000  # rows of a file; below, the cheapest plan is tested first


def p_value(disagreements: int, rows: int, keep: float) -> float:
    """Return how likely so few disagreements are, at most, if the plan agrees on less than `keep` of the rows."""
    return cdf(disagreements, rows, 1 - keep)


def allowed(rows: int, keep: float, risk: float) -> int:
    """Return the most disagreements among `rows` whose `p_value` is within `risk`; -1 if even none is too many."""
    low, high = -1, rows
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if p_value(middle, rows, keep) <= risk else (low, middle)
    return low


def holm(p_values: Sequence[float], risk: float) -> list[bool]:
    """Return which plans are certified by Holm's method: at most `risk` that any of these is wrong."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    certified = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > risk / (len(p_values) - rank):
            break
        certified[place] = True
    return certified
