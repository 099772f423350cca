"""Refuse YAML whose aliases stand for more than a recipe can be."""

from __future__ import annotations

from typing import Any

from batchdrop.errors import RecipeRejected

MAX_VALUES = 1_000_000  # ours: a recipe is written by a person
MAX_DEPTH = 200  # ours: JSON readers refuse deeper values


def refuse_alias_bombs(fields: Any, name: str) -> None:
    """Raise RecipeRejected for values that contain themselves, are nested too deeply, or are far too many.

    Aliases share a value in memory, but the recipe becomes JSON, in which each stands for itself.
    """
    counts: dict[int, int] = {}
    open_values: set[int] = set()

    def count(value: Any) -> int:
        if not isinstance(value, dict | list):
            return 1
        if id(value) in open_values:
            _refuse(name, "an alias (*) stands within its own anchor (&)")
        if len(open_values) > MAX_DEPTH:
            _refuse(name, f"its values are nested more than {MAX_DEPTH} deep")
        if id(value) not in counts:
            open_values.add(id(value))
            inner = value.values() if isinstance(value, dict) else value
            counts[id(value)] = 1 + sum(map(count, inner))
            open_values.discard(id(value))
        return counts[id(value)]

    if count(fields) > MAX_VALUES:
        _refuse(name, f"its aliases (*) stand for more than {MAX_VALUES:,} values")


def _refuse(name: str, reason: str) -> None:
    message = f"{name}: {reason}; write the values out"
    raise RecipeRejected(message)
