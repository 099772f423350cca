"""Give a row as many cells as the header has, where only empty cells differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.text.encodings import Encoding, encode


@dataclass(frozen=True, slots=True)
class Fit:
    """A row's text and cells, and what was added to its end or removed from it. Neither: the row is written again."""

    raw: str
    cells: list[str]
    added: str | None = None
    removed: str | None = None

    def exact(self, exact: bytes | None, encoding: Encoding) -> bytes | None:
        """Return the bytes of the changed text, if encoding it would give others."""
        if exact is None or (self.added is None and self.removed is None):
            return None
        if self.added is not None:
            return exact + encode(self.added, encoding)
        return exact[: len(exact) - len(encode(self.removed or "", encoding))]


class RowWidth:
    """The header's number of cells. `unnamed` says of each whether it is blank; `fills`: missing cells are empty."""

    def __init__(self, dialect: Dialect, width: int, *, unnamed: Sequence[bool], fills: bool) -> None:
        self._dialect = dialect
        self._width = width
        self._unnamed = unnamed
        self._fills = fills

    def fit(self, raw: str, cells: list[str]) -> Fit | None:
        """Return the row with the header's number of cells; None if more than empty cells would change."""
        width, delimiter = self._width, self._dialect.delimiter
        if len(cells) < width:
            if not self._fills and not all(self._unnamed[len(cells) :]):
                return None
            added = delimiter * (width - len(cells))
            return Fit(raw + added, cells + [""] * (width - len(cells)), added=added)
        if any(map(str.strip, cells[width:])):
            return None
        removed, cells = delimiter * (len(cells) - width), cells[:width]
        if raw.endswith(removed):
            return Fit(raw[: -len(removed)], cells, removed=removed)
        return Fit(self._dialect.record(cells), cells)

    def misfit(self, raw: str, cells: list[str]) -> str:
        """Return why a row cannot be used, and the key that may help."""
        count = f"it has {len(cells)} cell{'' if len(cells) == 1 else 's'}, the header has {self._width} columns"
        if len(cells) < self._width:
            return f"{count}; `input: {{ragged: fill}}` takes missing cells for empty ones"
        if '\\"' in raw and not self._dialect.escape:
            return f'{count}; if backslashes stand before quotes, set `input: {{escape: "\\\\"}}`'
        return f"{count}; put cells that contain '{self._dialect.delimiter}' into quotes"
