"""The search for the cheapest plan that keeps the promise: what it asks, what it certifies, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from batchdrop.saver.certificate import allowed
from batchdrop.saver.search import (
    MOST_SPENT,
    RISK,
    Observe,
    Observed,
    affordable,
    audit_rows,
    sample_rows,
    search,
)

KEEP = 0.98
COSTS = (0.05, 0.1, 0.5)


def _wrong(*rates: float) -> Observe:
    """Return plans with these shares of wrong rows, evenly spread."""
    return lambda plan, rows: Observed(round(rates[plan] * rows), rows, rows)


def _worth(share: float) -> Observe:
    """Return a plan with 0.4 % of wrong rows, whose rows prove as much as this share of them."""
    return lambda _, rows: Observed(rows // 250, rows, share * rows)


def test_the_cheapest_plan_that_passes_is_chosen() -> None:
    """All survivors are tested together; the cheapest of those that pass wins."""
    found = search(100_000, KEEP, COSTS, _wrong(0.05, 0.005, 0.0))
    assert found.best is not None
    assert found.best[:4] == (1, 995, 1000, 3)
    assert 0 < found.best.p <= RISK


def test_a_hopeless_plan_ends_after_its_first_look() -> None:
    """It can no longer pass with the whole sample, so it answers no more rows."""
    assert search(100_000, KEEP, COSTS, _wrong(0.3, 0.06, 0.0)).asked == [100, 300, 1000]


def test_a_small_file_tests_the_cheapest_first() -> None:
    """The first that passes ends the search; each is tested at the risk over the number of plans."""
    found = search(50_000, KEEP, COSTS, _wrong(0.004, 0.0, 0.0))
    assert found.best is not None
    assert (found.best.plan, found.asked) == (0, [1000, 0, 0])
    most = allowed(1000, KEEP, RISK / 3)
    edge = search(
        50_000, KEEP, COSTS, lambda plan, rows: Observed(most + (plan == 0) if rows == 1000 else 0, rows, rows)
    )
    assert edge.best is not None
    assert (edge.best.plan, edge.asked) == (1, [1000, 1000, 0])


def test_no_plan_is_certified_where_none_is_good() -> None:
    """Nor without any plan."""
    assert search(100_000, KEEP, COSTS, _wrong(0.02, 0.02, 0.02)).best is None
    assert search(50_000, KEEP, COSTS, _wrong(0.02, 0.02, 0.02)).best is None
    assert search(100_000, KEEP, (), _wrong()) == (None, [])


def test_rows_that_fail_together_prove_less() -> None:
    """The same counts pass as independent rows, and not as 200 packs whose rows agree with each other."""
    for worth, passes in ((1.0, True), (0.2, False)):
        found = search(100_000, KEEP, (0.1,), _worth(worth))
        assert (found.best is not None) is passes


@pytest.mark.parametrize(
    ("costs", "rows", "plans"),
    [((0.5, 0.1), 100_000, [1, 0]), ((0.5, 0.1), 10_000, [1]), ((0.9, 0.9), 10_000, []), ((1.2,), 1_000_000, [])],
)
def test_candidates_cost_a_bounded_share(costs: Sequence[float], rows: int, plans: list[int]) -> None:
    """The cheapest are tried first; on a small file fewer are tried, and a dearer plan than the reference never."""
    chosen = affordable(costs, rows)
    assert chosen == plans
    assert sum(costs[plan] for plan in chosen) * sample_rows(rows) <= MOST_SPENT * rows


def test_an_audit_is_three_percent_and_then_one() -> None:
    """Never fewer rows for a larger file."""
    assert [audit_rows(rows) for rows in (10_000, 100_000, 200_000, 300_000, 1_000_000)] == [
        300,
        3000,
        3000,
        3000,
        10_000,
    ]
