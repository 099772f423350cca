"""Shorten long strings for the terminal: an attached file is a string of millions of characters."""

from __future__ import annotations

from typing import Any

LONGEST_SHOWN = 400  # characters of a string


def shortened_values(value: Any) -> Any:
    """Return a JSON value with its long strings cut and their lengths noted."""
    match value:
        case str() if len(value) > LONGEST_SHOWN:
            return f"{value[:LONGEST_SHOWN]}… ({len(value):,} characters)"
        case list():
            return [shortened_values(one) for one in value]
        case dict():
            return {name: shortened_values(one) for name, one in value.items()}
        case _:
            return value
