"""A delimited file's dialect, and the text of its cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchdrop.adapters.formats.limits import MAX_CELL_CHARS
from batchdrop.errors import RecipeRejected

if TYPE_CHECKING:
    from _csv import Reader as Records

csv.field_size_limit(MAX_CELL_CHARS)

TAB = "\t"
_DECLARED = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?\r*\n?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The format of a delimited file's text.

    `escape` is the character before a quote or delimiter that is part of the text, if the file has one. `spaced`:
    spaces before a cell do not belong to it.
    """

    delimiter: str = ","
    line_end: str = "\n"
    escape: str = ""
    spaced: bool = False

    def reader(self, lines: Iterable[str]) -> Records:
        """Return the csv module's reader of these lines."""
        return csv.reader(lines, delimiter=self.delimiter, escapechar=self.escape or None, skipinitialspace=self.spaced)

    def cells(self, text: str) -> list[str]:
        """Return the cells of a record; text that the csv module refuses is one cell."""
        try:
            return next(self.reader([text]), [])
        except csv.Error:
            return [text]

    def record(self, cells: list[str]) -> str:
        """Return the record of these cells, without a line end."""
        return self.delimiter.join(map(self.quoted, cells))

    def quoted(self, cell: str) -> str:
        """Return a cell as in a record, quoted if necessary."""
        if self.escape and self.escape in cell:
            cell = cell.replace(self.escape, 2 * self.escape)
        if '"' in cell:
            return '"' + cell.replace('"', '""') + '"'
        return f'"{cell}"' if self.delimiter in cell or "\n" in cell or "\r" in cell else cell


def delimiter_named(named: str) -> str:
    """Return the recipe's delimiter. Raises RecipeRejected if it cannot separate cells."""
    delimiter = TAB if named == r"\t" else named
    if len(delimiter) != 1 or delimiter in '"\r\n':
        message = f"key 'input.delimiter': it must be one character, such as ';' or '\\t', not '{named}'"
        raise RecipeRejected(message)
    return delimiter


def declared_delimiter(line: str) -> str | None:
    """Return the delimiter that a first line `sep=;` declares, as Excel writes it."""
    found = _DECLARED.fullmatch(line)
    return found["delimiter"] if found else None
