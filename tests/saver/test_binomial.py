"""The saver's distributions and intervals are those of scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from batchdrop.saver.binomial import beta_quantile, cdf
from batchdrop.saver.intervals import Interval, clopper_pearson, lower_bound, upper_bound, wilson

_trials = st.integers(1, 1_000_000)


@given(trials=_trials, share=st.floats(0, 1), chance=st.floats(0, 1))
def test_the_distribution_is_scipys(trials: int, share: float, chance: float) -> None:
    """Counts of any size, and chances from 0 to 1."""
    successes = round(share * trials)

    assert cdf(successes, trials, chance) == pytest.approx(stats.binom.cdf(successes, trials, chance), abs=1e-9)


@given(trials=st.integers(100, 10_000_000), off=st.floats(-4, 4), chance=st.floats(0.001, 0.2))
def test_the_distribution_is_scipys_near_the_mean(trials: int, off: float, chance: float) -> None:
    """Certificates are decided a few deviations below the mean."""
    deviation = (trials * chance * (1 - chance)) ** 0.5
    successes = max(0, round(trials * chance + off * deviation))

    assert cdf(successes, trials, chance) == pytest.approx(stats.binom.cdf(successes, trials, chance), abs=1e-8)


def test_counts_out_of_range_are_certain() -> None:
    """Fewer than none, and at least all."""
    assert cdf(-1, 10, 0.5) == 0
    assert cdf(10, 10, 0.5) == 1
    assert cdf(11, 10, 0.5) == 1


@given(a=st.integers(1, 100_000), b=st.integers(1, 100_000), chance=st.floats(0.001, 0.999))
def test_the_quantile_is_scipys(a: int, b: int, chance: float) -> None:
    """The quantile of a beta distribution."""
    assert beta_quantile(chance, a, b) == pytest.approx(stats.beta.ppf(chance, a, b), rel=1e-6, abs=1e-12)


@given(rows=st.integers(1, 100_000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_intervals_are_scipys(rows: int, share: float, confidence: float) -> None:
    """Clopper and Pearson's, and Wilson's."""
    count = round(share * rows)
    test = stats.binomtest(count, rows)

    for method, own in (("exact", clopper_pearson), ("wilson", wilson)):
        theirs = test.proportion_ci(confidence, method=method)
        assert own(count, rows, confidence) == pytest.approx((theirs.low, theirs.high), rel=1e-6, abs=1e-9)


def test_bounds_have_one_side() -> None:
    """991 of 1,000 rows agree, so the true share exceeds 98.43 % with 95 % confidence."""
    assert lower_bound(991, 1000) == pytest.approx(0.98435, abs=1e-5)
    assert upper_bound(9, 1000) == pytest.approx(1 - lower_bound(991, 1000))
    assert (lower_bound(0, 10), upper_bound(10, 10)) == (0, 1)


def test_no_rows_say_nothing() -> None:
    """Without rows the share may be anything."""
    assert clopper_pearson(0, 0) == wilson(0, 0) == Interval(0, 1)
