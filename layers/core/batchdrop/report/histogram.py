"""Histograms of bounded size: for counts across magnitudes, and for numbers of unknown range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import frexp, isfinite, ldexp

import msgspec

EIGHTHS = 3  # bits: each octave has eight bins, so a bin is at most 12.5 % wide
MOST_VALUES = 50  # distinct numbers that are counted one by one; beyond this, bins are used
MOST_BINS = 64


class Histogram(msgspec.Struct):
    """Counts of whole numbers from 0 up (tokens, milliseconds) in bins on a fixed logarithmic scale.

    `bins` maps a bin's number to its count; empty bins are left out. Numbers below 16 have a bin each. An octave has at
    most 8 bins, so there are about a hundred bins in all. Merging is exact, in any order.
    """

    bins: dict[int, int] = {}
    total: int = 0
    largest: int = 0

    @property
    def count(self) -> int:
        """Return how many numbers were counted."""
        return sum(self.bins.values())

    @property
    def mean(self) -> float:
        """Return the exact mean; 0 without numbers."""
        return self.total / (self.count or 1)

    def add(self, numbers: Mapping[int, int]) -> None:
        """Add numbers with their counts."""
        for number, times in numbers.items():
            place = bin_of(number)
            self.bins[place] = self.bins.get(place, 0) + times
            self.total += number * times
            self.largest = max(self.largest, number)

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        for place, times in other.bins.items():
            self.bins[place] = self.bins.get(place, 0) + times
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    def quantile(self, part: float) -> int:
        """Return the `part` quantile (0 to 1), exact to one bin; 0 without numbers."""
        left = part * self.count
        for place in sorted(self.bins):
            left -= self.bins[place]
            if left <= 0:
                return min(floor_of(place + 1) - 1, self.largest)
        return self.largest


def bin_of(number: int) -> int:
    """Return the number of the bin that holds `number`."""
    number = max(number, 0)
    octave = max(number.bit_length() - EIGHTHS - 1, 0)
    return (octave << EIGHTHS) + (number >> octave)


def floor_of(place: int) -> int:
    """Return the smallest number in a bin."""
    octave = max((place >> EIGHTHS) - 1, 0)
    return (place - (octave << EIGHTHS)) << octave


class Spread(msgspec.Struct):
    """The spread of a number column's values, of any size and sign.

    Up to MOST_VALUES distinct values are counted one by one in `values`, by their shortest decimal form. Beyond that,
    `bins` counts the values from `n * 2**exponent` up to the next bin. The exponent is the smallest that needs at most
    MOST_BINS bins, so merging is exact here, too. `low` and `high` are the least and the greatest value.
    """

    values: dict[str, int] = {}
    exponent: int | None = None
    bins: dict[int, int] = {}
    low: float | None = None
    high: float | None = None

    @property
    def count(self) -> int:
        """Return how many numbers were counted."""
        return sum(self.values.values()) + sum(self.bins.values())

    def add(self, numbers: Mapping[float | None, int]) -> None:
        """Add numbers with their counts. None, and numbers that do not fit a float, are left out."""
        for number, times in numbers.items():
            value = _as_float(number)
            if value is not None:
                self._add(value, times)

    def merge(self, other: Spread) -> None:
        """Add the counts of another spread."""
        for end in (other.low, other.high):
            if end is not None:
                self._reach(end)
        if other.exponent is not None:
            self._widen(other.exponent)
            assert self.exponent is not None
            for place, times in other.bins.items():
                self._count(place >> (self.exponent - other.exponent), times)
        for written, times in other.values.items():
            self._add(float(written), times)

    def to_bins(self) -> None:
        """Convert single values to bins, for a chart."""
        if self.exponent is None and self.values:
            self._widen(_least_exponent(map(float, self.values)))

    def _reach(self, value: float) -> None:
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    def _add(self, value: float, times: int) -> None:
        self._reach(value)
        if self.exponent is None:
            written = repr(value)
            self.values[written] = self.values.get(written, 0) + times
            if len(self.values) > MOST_VALUES:
                self._widen(_least_exponent(map(float, self.values)))
        else:
            self._count(_place(value, self.exponent), times)

    def _widen(self, exponent: int) -> None:
        """Convert to bins, or to wider bins if these are narrower."""
        if self.exponent is None:
            self.exponent = exponent
            values, self.values = self.values, {}
            for written, times in values.items():
                self._count(_place(float(written), self.exponent), times)
        elif exponent > self.exponent:
            bins, shift, self.exponent = self.bins, exponent - self.exponent, exponent
            self.bins = {}
            for place, times in bins.items():
                self._count(place >> shift, times)

    def _count(self, place: int, times: int) -> None:
        assert self.exponent is not None
        if place in self.bins:
            self.bins[place] += times
            return
        self.bins[place] = times
        lowest, highest, steps = min(self.bins), max(self.bins), 0
        while (highest >> steps) - (lowest >> steps) >= MOST_BINS:
            steps += 1
        if steps:
            self._widen(self.exponent + steps)


def _as_float(number: float | None) -> float | None:
    if number is None:
        return None
    try:
        value = float(number)
    except OverflowError:
        return None
    return value + 0.0 if isfinite(value) else None  # -0.0 is 0.0


def _place(value: float, exponent: int) -> int:
    """Return floor(value / 2**exponent), exactly."""
    top, bottom = value.as_integer_ratio()
    return (top << -exponent) // bottom if exponent < 0 else top // (bottom << exponent)


def _least_exponent(values: Iterable[float]) -> int:
    """Return the smallest exponent at which all values fit into MOST_BINS bins."""
    seen = list(values)
    lowest, highest = min(seen), max(seen)
    exponent = frexp(highest / MOST_BINS - lowest / MOST_BINS)[1] - 2
    while _place(highest, exponent) - _place(lowest, exponent) >= MOST_BINS:
        exponent += 1
    return exponent


def edge(place: int, exponent: int) -> float:
    """Return the lower edge of a bin of a Spread."""
    try:
        return ldexp(float(place), exponent)
    except OverflowError:
        return float("inf") if place > 0 else float("-inf")
