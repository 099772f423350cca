"""Rows of a pack fail together, so they prove less than as many rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LEAST_EFFECT = 1.2  # ours: two hundred packs without any error do not prove that errors never cluster


class Cluster(NamedTuple):
    """The rows of one pack that were compared, and how many of them disagreed."""

    disagreed: int
    rows: int


def design_effect(clusters: Sequence[Cluster]) -> float:
    """Return the variance of the clusters' share over that of as many independent rows. 1 if it cannot be seen.

    This is the ratio estimator's variance, so that clusters may differ in size.
    """
    rows, disagreed = sum(one.rows for one in clusters), sum(one.disagreed for one in clusters)
    if len(clusters) < 2 or not 0 < disagreed < rows:  # noqa: PLR2004 - a variance needs two
        return 1.0
    share = disagreed / rows
    squares = sum((one.disagreed - share * one.rows) ** 2 for one in clusters)
    clustered = squares * len(clusters) / (len(clusters) - 1) / rows**2
    return clustered / (share * (1 - share) / rows)


def effective_rows(clusters: Sequence[Cluster], *, least: float = LEAST_EFFECT) -> float:
    """Return how many independent rows prove as much as these clusters."""
    return sum(one.rows for one in clusters) / max(least, design_effect(clusters))
