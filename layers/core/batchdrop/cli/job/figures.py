"""Format figures for the terminal: dollars, durations, rates, times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MINUTE, HOUR, DAY = 60, 3_600, 86_400
UNKNOWN = "–"
FATES = ("answered", "unusable", "failed", "rejected")
CENT = Decimal("0.01")


def dollars(amount: Decimal | None) -> str:
    """Return dollars as text; small sums get enough digits not to look like zero."""
    if amount is None:
        return "price unknown"
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if amount >= CENT or not amount else f"${amount:.6f}"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def rate(rows_a_second: float | None) -> str:
    """Return a rate in the unit that gives it digits before the decimal point."""
    if rows_a_second is None:
        return UNKNOWN
    if rows_a_second >= 1:
        return f"{rows_a_second:,.0f} rows/s"
    return (
        f"{rows_a_second * MINUTE:,.0f} rows/min"
        if rows_a_second * MINUTE >= 1
        else f"{rows_a_second * HOUR:,.0f} rows/h"
    )


def moment(at: datetime | None) -> str:
    """Return a time in UTC."""
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def counted(count: int, what: str) -> str:
    """Return a count with its noun, such as `1 row` or `2 rows`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def sum_of_fates(tally: Mapping[str, Any]) -> str:
    """Return a summary's tally as a sum. Summaries of older versions do not count unusable answers."""
    return " + ".join(f"{tally.get(fate, 0):,} {fate}" for fate in FATES)


def perhaps_paid(summary: Mapping[str, Any]) -> str:
    """Return a sentence about the rows that may be paid; empty if a summary has none."""
    block = summary.get("perhaps_paid") or {}
    if not block.get("requests"):
        return ""
    most = (
        "at an unknown price" if block["worst_usd"] is None else f"at most {dollars(Decimal(str(block['worst_usd'])))}"
    )
    return f"{counted(block['requests'], 'request')} without a readable result may be paid, {most}"


def size(bytes_: int) -> str:
    """Return a file's size."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if bytes_ >= factor:
            return f"{bytes_ / factor:.1f} {unit}"
    return f"{bytes_} B"
