"""How a delimited file is written, and the text of its cells."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from batchdrop.domain.limits import MAX_CELL_CHARS

csv.field_size_limit(MAX_CELL_CHARS)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a delimited file's text looks like."""

    delimiter: str = ","
    line_end: str = "\n"

    def cells(self, text: str) -> list[str]:
        """Take one record's text apart; text that the csv module refuses is one cell."""
        try:
            return next(csv.reader([text], delimiter=self.delimiter), [])
        except csv.Error:
            return [text]

    def record(self, cells: list[str]) -> str:
        """Return cells as a record, without its line end."""
        return self.delimiter.join(map(self.quoted, cells))

    def quoted(self, cell: str) -> str:
        """Return a cell as it stands in a record."""
        must_quote = any(char in cell for char in (self.delimiter, '"', "\r", "\n"))
        return '"' + cell.replace('"', '""') + '"' if must_quote else cell
