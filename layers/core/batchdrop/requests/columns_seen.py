"""Collect the columns of a file whose rows name their own columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from batchdrop.answers.columns import Column, ColumnKind
from batchdrop.errors import UploadRejected

MAX_COLUMNS = 16_384  # Excel: at most 16,384 columns; a file with more columns is not a table
INT64 = range(-(2**63), 2**63)


class ColumnsSeen:
    """Collects column names in order of first appearance, each with the narrowest kind that fits every value."""

    def __init__(self, columns: Iterable[Column] = ()) -> None:
        self._kinds: dict[str, ColumnKind | None] = {column.name: column.kind for column in columns}

    @property
    def columns(self) -> list[Column]:
        """Return the columns; a column that never held a value is text."""
        return [Column(name, kind or "string") for name, kind in self._kinds.items()]

    def add(self, cells: Mapping[str, Any]) -> bool:
        """Add a row and return whether the columns changed. Raises UploadRejected for too many columns."""
        changed = False
        for name, value in cells.items():
            kind = _wider(self._kinds.get(name), value)
            if name not in self._kinds or kind != self._kinds[name]:
                self._kinds[name] = kind
                changed = True
        if len(self._kinds) > MAX_COLUMNS:
            message = (
                f"the rows name more than {MAX_COLUMNS:,} different columns, more than a table can have; "
                "set `output: {format: jsonl}` in the recipe"
            )
            raise UploadRejected(message)
        return changed


def _wider(known: ColumnKind | None, value: Any) -> ColumnKind | None:
    found = _kind(value)
    if found is None or found == known:
        return known
    if known is None:
        return found
    if {known, found} == {"integer", "number"}:
        return "number"
    return "string"  # mixed kinds are written as text; values that are not text, as JSON


def _kind(value: Any) -> ColumnKind | None:
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer" if value in INT64 else "string"
        case float():
            return "number"
        case str():
            return "string"
        case _:
            return "json"
