"""Decide whether packs pay on this file: from the estimate, then from the first packs' own answers. Pure arithmetic.

A pack costs the share `price` of what its rows cost alone. Rows without an answer are sent again, alone. So a pack's
`ratio` is `price` and the share of its rows that are sent again. Packing loses where the ratios' mean is above 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

DEAR = 0.97  # from this share on, packs save less than a few bad answers cost
FEWEST, MOST = 10, 50  # packs in the first wave
RISK = 0.02  # of the bill: what packing may lose at worst
CONFIDENT = 1.645  # standard errors; 95 % one-sided
LEAST_SPREAD = 0.1  # ten packs without any error do not prove that there is none
AUTO_SIZES = (5, 10, 20)


class Sized(NamedTuple):
    """Packs of one size: how many rows each has, and what they cost compared with their rows alone."""

    rows: int
    price: float


def upper_mean(ratios: Sequence[float]) -> float:
    """Return what the mean of all packs' ratios hardly exceeds, from those of the first packs."""
    spread = max(stdev(ratios) if len(ratios) > 1 else 0.0, LEAST_SPREAD)
    return fmean(ratios) + CONFIDENT * spread / math.sqrt(len(ratios))


def pays(ratios: Sequence[float]) -> bool:
    """Return whether more packs are expected to save money."""
    return bool(ratios) and upper_mean(ratios) < 1


def first_packs(rows: int, size: Sized) -> int:
    """Return how many packs of a first wave risk at most RISK of the rows' bill, at most MOST."""
    return min(MOST, int(RISK * rows / (size.price * size.rows)))


def tried_sizes(rows: int, sizes: Sequence[Sized]) -> list[Sized]:
    """Return the sizes that `auto` tries, FEWEST packs of each; none if that would risk more than RISK of the bill."""
    cheap = [size for size in sizes if size.price < DEAR]
    for some in (cheap, cheap[-2:], cheap[-1:]):
        at_risk = sum(FEWEST * size.price * size.rows for size in some)
        if some and at_risk <= RISK * rows:
            return some
    return []


def best_size(ratios: dict[int, list[float]]) -> int:
    """Return the size whose packs are measured to save most; 0 if none is measured to save."""
    bounds = {size: upper_mean(each) for size, each in ratios.items() if each}
    best = min(bounds, key=lambda size: (bounds[size], size), default=0)
    return best if best and bounds[best] < 1 else 0


def packs_within_bound(bill: float, saved: float, worst: Sequence[float]) -> int:
    """Return how many of the packs may be open at once, if packing must never lose more than RISK of the bill.

    `saved` is what closed packs have saved so far, negative for a loss. `worst` is what each pack may lose.
    """
    room, count = RISK * bill + saved, 0
    for loss in worst:
        if loss > room:
            break
        room, count = room - loss, count + 1
    return count
