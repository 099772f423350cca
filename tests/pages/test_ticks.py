"""Axes have round numbers, few enough for a phone, inside the range."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.pages.ticks import MOST_TICKS, count_ticks, even_ticks, place_of, second_ticks, time_ticks


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_even_ticks_are_few_and_round(low: float, width: float) -> None:
    """Multiples of 1, 2 or 5 times a power of ten."""
    ticks = even_ticks(low, low + width)
    assert len(ticks) <= MOST_TICKS + 1
    assert all(low <= place <= low + width for _, place in ticks)


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        (even_ticks(0.375, 1.03125), ["0.4", "0.6", "0.8", "1"]),
        (even_ticks(0, 4096), ["0", "1k", "2k", "3k", "4k"]),
        (even_ticks(-3, 3), ["-3", "-2", "-1", "0", "1", "2", "3"]),
        (even_ticks(1, 1), []),
        (even_ticks(0, float("inf")), []),
        (count_ticks(30, 1100), ["50", "100", "200", "500", "1k"]),
        (count_ticks(0, 3), ["0", "1", "2"]),
        (count_ticks(0, 1_000_000), ["1", "10", "100", "1k", "10k", "100k", "1M"][::2]),
        (time_ticks(300, 20_000), ["500 ms", "1 s", "2 s", "5 s", "10 s", "20 s"]),
        (second_ticks(50, 9000), ["1 min", "1 h"]),
    ],
)
def test_labels_are_round(ticks: list[tuple[str, float]], labels: list[str]) -> None:
    """What a person would write on an axis."""
    assert [label for label, _ in ticks] == labels


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=20, unique=True))
def test_places_keep_the_order(numbers: list[int]) -> None:
    """On the scale of the bins, a greater number is further to the right."""
    places = [place_of(number) for number in sorted(numbers)]
    assert all(before < after for before, after in pairwise(places))
