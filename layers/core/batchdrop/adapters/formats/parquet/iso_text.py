"""Format times and durations as ISO 8601 text, at any resolution and in any year.

Python's `datetime` stops at microseconds and at the year 9999; files do not. A zero fraction is left out; any other
keeps all digits of its unit.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_DAY = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LAST_ORDINAL = date.max.toordinal()
_ERA_DAYS = 146_097  # 400 years of the Gregorian calendar
_EPOCH_IN_ERA = 719_468  # days from 0000-03-01 to 1970-01-01


def date_text(days: int) -> str:
    """Return a day, counted from 1970-01-01, as `2026-10-21`; years of other than four digits have a sign."""
    ordinal = days + _EPOCH_ORDINAL
    if 1 <= ordinal <= _LAST_ORDINAL:
        return date.fromordinal(ordinal).isoformat()
    year, month, day = _civil(days)
    sign = "-" if year < 0 else "+" if year > date.max.year else ""
    return f"{sign}{abs(year):04}-{month:02}-{day:02}"


def time_text(ticks: int, unit: str) -> str:
    """Return a time of day, such as `14:05:00.250`."""
    seconds, fraction = divmod(abs(ticks), UNITS[unit])
    sign = "-" if ticks < 0 else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(fraction, unit)}"


def timestamp_text(ticks: int, unit: str, zone: tzinfo | None = None) -> str:
    """Return a timestamp, counted from 1970-01-01: local without a zone, else with the zone's offset."""
    shift = _offset(ticks // UNITS[unit], zone) if zone else 0
    days, rest = divmod(ticks + shift * UNITS[unit], _DAY * UNITS[unit])
    return f"{date_text(days)}T{time_text(rest, unit)}{_offset_text(shift) if zone else ''}"


def duration_text(ticks: int, unit: str) -> str:
    """Return a duration: `P1DT2H0.5S`, `-PT3M`, `PT0S`."""
    seconds, fraction = divmod(abs(ticks), UNITS[unit])
    days, seconds = divmod(seconds, _DAY)
    parts = [f"{count}{name}" for count, name in ((seconds // 3600, "H"), (seconds // 60 % 60, "M")) if count]
    if seconds % 60 or fraction or not (parts or days):
        parts.append(f"{seconds % 60}{_fraction(fraction, unit)}S")
    text = "P" + (f"{days}D" if days else "") + ("T" + "".join(parts) if parts else "")
    return "-" + text if ticks < 0 else text


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by name or offset (`Europe/Berlin`, `+02:00`); UTC if it is unknown."""
    if name.upper() in {"UTC", "Z", "ETC/UTC"}:
        return UTC
    if name[:1] in {"+", "-"}:
        return _fixed(name)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # UTC gives the same instant
        return UTC


def _fixed(name: str) -> tzinfo:
    hours, _, minutes = name[1:].partition(":")
    try:
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if name[0] == "-" else offset)
    except (ValueError, OverflowError):
        return UTC


def _offset(seconds: int, zone: tzinfo) -> int:
    """Return a zone's seconds east of UTC at a time; 0 outside Python's calendar."""
    try:
        offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    except (ValueError, OverflowError, OSError):
        return 0
    return int((offset or timedelta()).total_seconds())


def _offset_text(shift: int) -> str:
    if not shift:
        return "Z"
    minutes = abs(shift) // 60
    seconds = f":{abs(shift) % 60:02}" if shift % 60 else ""  # local mean times, from before time zones
    return f"{'-' if shift < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}{seconds}"


def _fraction(fraction: int, unit: str) -> str:
    return f".{fraction:0{len(str(UNITS[unit])) - 1}}" if fraction else ""


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a day count (Howard Hinnant's days-to-civil, for years beyond `date`)."""
    era, day_of_era = divmod(days + _EPOCH_IN_ERA, _ERA_DAYS)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153  # months from March
    month = shifted + 3 if shifted < 10 else shifted - 9  # noqa: PLR2004 - the year turns after the tenth from March
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1  # noqa: PLR2004 - January, February
