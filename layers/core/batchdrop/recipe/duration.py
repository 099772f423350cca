"""Durations in a recipe, such as 90s or 6h."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_named(duration: str) -> timedelta:
    """Parse `90s`, `30m`, `6h` or `1d`. Raises ValueError for anything else."""
    found = _DURATION.fullmatch(duration.strip())
    if found is None or not int(found[1]):
        message = f"'{duration}' is not a duration; write 90s, 30m, 6h or 1d"
        raise ValueError(message)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
