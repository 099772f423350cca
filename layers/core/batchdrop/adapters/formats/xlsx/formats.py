"""Number formats: find out which numbers are dates, times or durations, and write them as text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from batchdrop.adapters.formats.parquet import iso_text

NumberFormat = int | str
"""A built-in format by number, or a workbook's own by its code (`yyyy-mm-dd`). 0 is General: no format."""

TimeKind = Literal["", "date", "time", "datetime", "duration"]

_BUILT_IN: dict[int, TimeKind] = {
    **dict.fromkeys([14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58], "date"),
    **dict.fromkeys([18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56], "time"),
    22: "datetime",
    46: "duration",
}
_KINDS: dict[tuple[bool, bool], TimeKind] = {
    (True, True): "datetime",
    (True, False): "date",
    (False, True): "time",
    (False, False): "",
}
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_NO_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|am/pm|a/p|general', re.IGNORECASE)

_DAY_MS = 86_400_000
_UNIX_IN_1900 = 25_569  # the serial number of 1970-01-01
_UNIX_IN_1904 = 24_107
_FALSE_LEAP_DAY = 60  # the 1900 system has a 29 February 1900
_AFTER_LAST = {False: 2_958_466, True: 2_957_004}  # the serial number of 10000-01-01


@lru_cache(maxsize=4096)
def time_kind(number_format: NumberFormat) -> TimeKind:
    """Return the kind of time that a number of this format is; empty for a plain number."""
    if isinstance(number_format, int):
        return _BUILT_IN.get(number_format, "")
    section = number_format.partition(";")[0]
    if _ELAPSED.search(section):
        return "duration"
    letters = set(_NO_CODE.sub("", section).lower())
    has_time = bool(letters & {"h", "s"})
    has_date = bool(letters & {"y", "d"}) or ("m" in letters and not has_time)
    return _KINDS[has_date, has_time]


def serial_text(serial: float, kind: TimeKind, *, epoch_1904: bool) -> str | None:
    """Return a serial number as ISO 8601, to the millisecond; None if it is out of range (negative, beyond 9999)."""
    if kind == "duration" and abs(serial) < _AFTER_LAST[False]:
        return iso_text.duration_text(round(serial * _DAY_MS), "ms")
    if not kind or not 0 <= serial < _AFTER_LAST[epoch_1904]:
        return None
    day, clock = divmod(round(serial * _DAY_MS), _DAY_MS)
    if day == 0 and kind in {"time", "datetime"} and not (epoch_1904 and kind == "datetime"):
        return iso_text.time_text(clock, "ms")
    days = day - _UNIX_IN_1904 if epoch_1904 else day - _UNIX_IN_1900 + (day < _FALSE_LEAP_DAY)
    if kind == "date" and not clock:
        return iso_text.date_text(days)
    return iso_text.timestamp_text(days * _DAY_MS + clock, "ms")
