"""Choose round numbers for the axis of a chart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor, log10

from batchdrop.adapters.pages.figures import compact
from batchdrop.report.histogram import bin_of, floor_of

MOST_TICKS = 6  # more do not fit a phone
_ROUND = (1, 2, 5)
_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000  # milliseconds
_TIMES = (
    *(digit * 10**power for power in range(3) for digit in _ROUND),
    *(number * _SECOND for number in (1, 2, 5, 10, 20, 30)),
    *(number * _MINUTE for number in (1, 2, 5, 10, 20, 30)),
    *(number * _HOUR for number in (1, 2, 4, 8, 12, 24, 48)),
)

Tick = tuple[str, float]  # its label, and its place on the axis


def even_ticks(low: float, high: float) -> list[Tick]:
    """Return ticks at multiples of 1, 2 or 5 times a power of ten, from `low` to `high`."""
    if not low < high < float("inf") or low == float("-inf"):
        return []
    step = _round_up((high - low) / MOST_TICKS)
    numbers = [step * place for place in range(ceil(low / step), floor(high / step) + 1)]
    return [(compact(number), number) for number in numbers]


def count_ticks(low: int, high: int) -> list[Tick]:
    """Return ticks at 1, 2 and 5 times powers of ten, on the scale of a Histogram's bins."""
    powers = range(len(str(max(high, 1))))
    numbers = [digit * 10**power for power in powers for digit in _ROUND]
    return _on_bins([0, *numbers], low, high, compact, keeps=lambda number: str(number)[0] == "1")


def time_ticks(low: int, high: int) -> list[Tick]:
    """Return ticks at round times, on the scale of a Histogram's bins of milliseconds."""
    return _on_bins(_TIMES, low, high, _time, keeps=lambda number: number in {1, 10, 100, _SECOND, _MINUTE, _HOUR})


def second_ticks(low: int, high: int) -> list[Tick]:
    """Return ticks at round times, on the scale of a Histogram's bins of seconds."""
    whole = [time // _SECOND for time in _TIMES if time >= _SECOND]
    return _on_bins(whole, low, high, lambda number: _time(int(number) * _SECOND), keeps=lambda n: n in {1, 60, 3600})


def _on_bins(
    numbers: Iterable[int], low: int, high: int, written: Callable[[float], str], *, keeps: Callable[[int], bool]
) -> list[Tick]:
    """Return ticks of the numbers from `low` to `high`; of too many, those that `keeps` names, or every other one."""
    inside = [number for number in numbers if low <= number <= high]
    if len(inside) > MOST_TICKS and len(kept := [number for number in inside if keeps(number)]) > 1:
        inside = kept
    thinned: Sequence[int] = inside[:: ceil(len(inside) / MOST_TICKS) or 1]
    return [(written(number), place_of(number)) for number in thinned]


def place_of(number: int) -> float:
    """Return where a number is on the scale of a Histogram's bins."""
    place = bin_of(number)
    start = floor_of(place)
    return place + (number - start) / (floor_of(place + 1) - start)


def _round_up(step: float) -> float:
    power = 10.0 ** floor(log10(step))
    return next((digit * power for digit in _ROUND if digit * power >= step), 10 * power)


def _time(milliseconds: float) -> str:
    for size, unit in ((_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s")):
        if milliseconds >= size:
            return f"{milliseconds / size:g} {unit}"
    return f"{milliseconds:g} ms"
