"""Search the cheapest plan that provably keeps the quality, at a bounded cost. Pure: the caller observes answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from batchdrop.saver.certificate import SMALL, allowed, holm, p_value

RISK = 0.05  # by default: that any certified plan breaks the promise
FIRST_LOOKS = (100, 300)  # rows; a hopeless plan ends there
LARGE = 300_000  # rows of a file; from there a larger sample pays
SAMPLE, LARGE_SAMPLE = 1_000, 3_000
MOST_SPENT = 0.05  # of the reference's bill, for all plans' answers to the sample


class Observed(NamedTuple):
    """How many of the compared rows disagree with the reference. `effective` rows prove as much as these `rows`."""

    disagreed: int
    rows: int
    effective: float

    @property
    def discounted(self) -> tuple[int, int]:
        """Return disagreements and rows as if they were independent, rounded against the plan."""
        share = min(1.0, self.effective / self.rows) if self.rows else 1.0
        return math.ceil(self.disagreed * share), math.floor(self.rows * share)


class Certificate(NamedTuple):
    """A plan that passed: it agrees on `agreed` of `rows` rows, one of `tried` plans; `p` is corrected for them."""

    plan: int
    agreed: int
    rows: int
    tried: int
    p: float


class Search(NamedTuple):
    """The result: `best` is the cheapest certified plan, or None. `asked` are the rows that each plan answered."""

    best: Certificate | None
    asked: list[int]


Observe = Callable[[int, int], Observed]
"""Has a plan answer the first rows of the sample; returns what is seen of these so far."""


def sample_rows(rows: int) -> int:
    """Return how many rows of a file are compared."""
    return min(rows, LARGE_SAMPLE if rows >= LARGE else SAMPLE)


def affordable(costs: Sequence[float], rows: int, *, size: int | None = None, dearer: float = 1.0) -> list[int]:
    """Return the plans that can be tried for MOST_SPENT of the bill, the cheapest first. `costs` are shares of it.

    `size` is the number of compared rows. These cost `dearer` times as much as the others, if they are sent live.
    """
    chosen, spent = [], 0.0
    for plan in sorted(range(len(costs)), key=costs.__getitem__):
        spent += costs[plan] * dearer * (size or sample_rows(rows))
        if spent > MOST_SPENT * rows or costs[plan] >= 1:
            break
        chosen.append(plan)
    return chosen


def search(
    rows: int,
    keep: float,
    costs: Sequence[float],
    observe: Observe,
    *,
    risk: float = RISK,
    size: int | None = None,
    dearer: float = 1.0,
) -> Search:
    """Return the cheapest plan that agrees on at least `keep` of the rows, with 1 - `risk` confidence.

    `costs` are the plans' shares of the reference's bill. Below SMALL rows the cheapest is tested first, at the risk
    over the number of plans; from there all survivors are tested together (Holm). `size` and `dearer` are those of
    `affordable`.
    """
    plans = affordable(costs, rows, size=size, dearer=dearer)
    asked = [0] * len(costs)
    if not plans:
        return Search(None, asked)
    look = partial(_looked, size=size or sample_rows(rows), keep=keep, observe=observe, asked=asked)
    return (_one_by_one if rows < SMALL else _together)(keep, plans, look, asked, risk)


def _one_by_one(keep: float, plans: list[int], look: _Look, asked: list[int], whole_risk: float) -> Search:
    risk = whole_risk / len(plans)
    for plan in plans:
        seen = look(plan, risk=risk)
        if seen is None:
            continue
        p = p_value(*seen.discounted, keep)
        if p <= risk:
            return Search(_certificate(plan, seen, len(plans), p * len(plans)), asked)
    return Search(None, asked)


def _together(keep: float, plans: list[int], look: _Look, asked: list[int], risk: float) -> Search:
    seen = [look(plan, risk=risk) for plan in plans]
    p_values = [1.0 if one is None else p_value(*one.discounted, keep) for one in seen]
    for plan, one, p, passed in zip(plans, seen, p_values, holm(p_values, risk), strict=True):
        if one is not None and passed:
            return Search(_certificate(plan, one, len(plans), min(1.0, p * len(plans))), asked)
    return Search(None, asked)


class _Look(Protocol):
    def __call__(self, plan: int, *, risk: float) -> Observed | None: ...


def _looked(plan: int, *, size: int, keep: float, risk: float, observe: Observe, asked: list[int]) -> Observed | None:
    """Return what is seen of a plan after all looks; None if it can no longer pass after one of them."""
    most = allowed(size, keep, risk)
    seen = None
    for look in (*(one for one in FIRST_LOOKS if one < size), size):
        seen = observe(plan, look)
        asked[plan] = look
        if seen.disagreed > most:
            return None
    return seen


def _certificate(plan: int, seen: Observed, tried: int, p: float) -> Certificate:
    return Certificate(plan, seen.rows - seen.disagreed, seen.rows, tried, p)


def audit_rows(rows: int) -> int:
    """Return how many rows of a job are audited: 3 % up to 100,000 rows, 1 % from 300,000, and 3,000 between."""
    return math.ceil(max(min(0.03 * rows, 0.03 * SMALL), 0.01 * rows))
