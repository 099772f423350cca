"""Format numbers for people."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

_SIXTY = 60  # seconds per minute, minutes per hour


def whole(number: float) -> str:
    """Return a number with thousands separators."""
    return f"{number:,.0f}"


def usd(dollars: Decimal | float | None) -> str:
    """Return dollars: to the cent for large sums, with two significant digits for small ones."""
    if dollars is None:
        return "price unknown"
    value = Decimal(dollars)
    if value == 0:
        return "$0"
    if value >= 1:
        return f"${value:,.2f}"
    places = min(8, 1 - value.adjusted() if value < Decimal("0.1") else 3)
    return f"${value:.{places}f}"


def span(seconds: float) -> str:
    """Return a duration: `850 ms`, `12.3 s`, `4 min 10 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _SIXTY:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SIXTY)
    if minutes < _SIXTY:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, _SIXTY)
    return f"{hours} h {minutes} min"


def moment(at: datetime | None) -> str:
    """Return a time to the second, in UTC."""
    return "—" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def share(count: int, of: int) -> str:
    """Return a part in percent; a small part never rounds to zero."""
    if not count or count == of or not of:
        return "100 %" if count else "0 %"
    written = f"{100 * count / of:.1f} %"
    return {"0.0 %": "< 0.1 %", "100.0 %": "> 99.9 %"}.get(written, written)


def compact(number: float) -> str:
    """Return a number in few characters: `950`, `1.2k`, `3M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.4g}"
