"""A delimited file's dialect, and the text of its cells."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from batchdrop.adapters.formats.limits import MAX_CELL_CHARS
from batchdrop.errors import RecipeRejected

csv.field_size_limit(MAX_CELL_CHARS)

TAB = "\t"
_DECLARED = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?\r*\n?', re.IGNORECASE)
_FOUND = (";", TAB)  # the delimiters where the comma is the decimal point


@dataclass(frozen=True, slots=True)
class Dialect:
    """The format of a delimited file's text."""

    delimiter: str = ","
    line_end: str = "\n"

    def cells(self, text: str) -> list[str]:
        """Return the cells of a record; text that the csv module refuses is one cell."""
        try:
            return next(csv.reader([text], delimiter=self.delimiter), [])
        except csv.Error:
            return [text]

    def record(self, cells: list[str]) -> str:
        """Return the record of these cells, without a line end."""
        return self.delimiter.join(map(self.quoted, cells))

    def quoted(self, cell: str) -> str:
        """Return a cell as in a record, quoted if necessary."""
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


def found_delimiter(line: str) -> str:
    """Return the delimiter of a .csv file, found in the line that its header starts with.

    It is the comma, unless the line has no comma and either semicolons or tabs: in many countries the comma is the
    decimal point.
    """
    if len(Dialect().cells(line)) > 1:
        return ","
    others = [delimiter for delimiter in _FOUND if len(Dialect(delimiter).cells(line)) > 1]
    return others[0] if len(others) == 1 else ","
