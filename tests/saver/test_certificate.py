"""Certificates: disagreements allowed, Holm's method, and packs whose rows fail together."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from batchdrop.saver.certificate import allowed, holm, p_value
from batchdrop.saver.clusters import LEAST_EFFECT, Cluster, design_effect, effective_rows

_keep = st.sampled_from([0.9, 0.95, 0.98, 0.99])
_risk = st.sampled_from([0.05, 0.05 / 8])


@given(rows=st.integers(1, 5000), keep=_keep, risk=_risk)
def test_one_more_disagreement_would_be_too_many(rows: int, keep: float, risk: float) -> None:
    """x(a) = max{x: BinomCDF(x; n, 1 - keep) <= a}."""
    most = allowed(rows, keep, risk)

    assert most == -1 or stats.binom.cdf(most, rows, 1 - keep) <= risk * (1 + 1e-9)
    assert stats.binom.cdf(most + 1, rows, 1 - keep) > risk * (1 - 1e-9)


def test_few_rows_prove_nothing() -> None:
    """98 % with 95 % confidence needs 149 rows without any disagreement."""
    assert allowed(148, 0.98, 0.05) == -1
    assert allowed(149, 0.98, 0.05) == 0


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=8))
def test_holm_tests_the_best_plan_first(p_values: list[float]) -> None:
    """The definition: adjusted p-values never fall, and are compared with the risk."""
    certified, adjusted = holm(p_values, 0.05), 0.0
    for rank, (value, is_certified) in enumerate(sorted(zip(p_values, certified, strict=True), key=lambda one: one[0])):
        adjusted = max(adjusted, value * (len(p_values) - rank))
        assert is_certified == (adjusted <= 0.05) or adjusted == pytest.approx(0.05)


def test_bad_plans_seldom_pass() -> None:
    """Eight plans just below the promise: with Holm's method any of them passes in at most 5 % of jobs."""
    draw, jobs = random.Random(1), 400
    passed = 0
    for _ in range(jobs):
        wrong = [sum(draw.random() < 0.0201 for _ in range(300)) for _ in range(8)]
        passed += any(holm([p_value(one, 300, 0.98) for one in wrong], 0.05))

    assert passed / jobs <= 0.05


def test_rows_that_fail_together_count_once() -> None:
    """If all five rows of a pack agree or disagree, they are worth one row."""
    clusters = [Cluster(5 if place % 10 == 0 else 0, 5) for place in range(200)]

    assert design_effect(clusters) == pytest.approx(5, rel=0.01)
    assert effective_rows(clusters) == pytest.approx(200, rel=0.01)


def test_independent_rows_keep_the_least_effect() -> None:
    """Independent errors have an effect near 1, and the least effect is assumed all the same."""
    draw = random.Random(2)
    clusters = [Cluster(sum(draw.random() < 0.05 for _ in range(5)), 5) for _ in range(4000)]

    assert design_effect(clusters) == pytest.approx(1, abs=0.1)
    assert effective_rows(clusters) == pytest.approx(20_000 / LEAST_EFFECT)


def test_no_disagreement_shows_no_effect() -> None:
    """Nor does a single pack."""
    assert design_effect([Cluster(0, 5)] * 10) == 1
    assert design_effect([Cluster(2, 5)]) == 1
