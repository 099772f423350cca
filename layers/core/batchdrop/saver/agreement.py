"""How often two plans agree, from their answers to the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

from batchdrop.saver.intervals import CONFIDENCE, wilson

_CLOSE = 1e-9  # relative


@dataclass(frozen=True, slots=True)
class Agreement:
    """`agreed` of `rows` rows agree: the share from `low` to `high`. `rows` have an answer of both; share is 0 to 1."""

    agreed: int
    rows: int
    share: float | None
    low: float
    high: float
    confidence: float = CONFIDENCE


def agreement(agreed: int, rows: int) -> Agreement:
    """Return an agreement with Wilson's interval. The share is None without rows."""
    interval = wilson(agreed, rows)
    return Agreement(agreed, rows, agreed / rows if rows else None, interval.low, interval.high)


def agrees(one: Any, other: Any) -> bool:
    """Return whether two values of an answer field agree: numbers by their value, texts without spaces at the ends."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=_CLOSE, abs_tol=1e-12)
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip()
    return bool(one == other)


def differing(one: Mapping[str, Any], other: Mapping[str, Any], fields: Iterable[str]) -> list[str]:
    """Return the fields in which two answers to a row disagree."""
    return [field for field in fields if not agrees(one.get(field), other.get(field))]
