"""Read a sheet's rows from its XML: typed cells, one block at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import IO

from batchdrop.adapters.formats.limits import MAX_CELL_CHARS, MAX_LINE_BYTES
from batchdrop.adapters.formats.xlsx.cells import UNCOMPUTED, Cell, typed
from batchdrop.adapters.formats.xlsx.formats import NumberFormat
from batchdrop.adapters.formats.xlsx.limits import XLSX_COLUMNS, XLSX_ROWS
from batchdrop.adapters.formats.xlsx.strings import SharedStrings, TextReader, unescaped
from batchdrop.adapters.formats.xlsx.xml import Attributes, BadXml, parse

SheetRow = tuple[int, dict[int, Cell]]
"""A row's number as the spreadsheet counts it, and its cells by column, from 0; cells without a value are left out."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_EXACT_DIGITS = 1e15


def sheet_rows(
    stream: IO[bytes], strings: SharedStrings, formats: list[NumberFormat], *, zeros_stand_in: bool = False
) -> Iterator[SheetRow]:
    """Yield the rows that have a cell, in order. `formats` are the number formats by style. Raises BadXml.

    `zeros_stand_in`: a formula with the value 0 was not calculated.
    """
    reader = RowReader(strings, formats, {"", "0"} if zeros_stand_in else {""})
    for _ in parse(stream, start=reader.start, end=reader.end, text=reader.text):
        yield from reader.ready
        reader.ready.clear()


class RowReader:
    """Turns Expat's three callbacks into rows, which are in `ready` when they have ended."""

    def __init__(
        self, strings: SharedStrings, formats: list[NumberFormat], uncomputed: Collection[str] = frozenset({""})
    ) -> None:
        self._uncomputed = uncomputed
        self.ready: list[SheetRow] = []
        self._strings = strings
        self._formats = formats
        self._in_rows = False
        self._row = 0
        self._column = -1
        self._cells: dict[int, Cell] = {}
        self._chars = 0
        self._cell: Attributes = {}
        self._value: list[str] | None = None
        self._in_value = False
        self._has_formula = False
        self._is_in_cell = False
        self._inline: TextReader | None = None

    @property
    def row(self) -> int:
        """Return the number of the row that is being read."""
        return self._row

    @property
    def is_between_cells(self) -> bool:
        """Return whether no cell is open."""
        return not self._is_in_cell

    def start(self, tag: str, attributes: Attributes) -> None:
        """Handle the start of an element."""
        if not self._in_rows:
            self._in_rows = tag == "sheetData"
        elif self._inline:
            self._inline.start(tag)
        elif tag == "c":
            self._begin_cell(attributes)
        elif tag == "v":
            self._value = []
            self._in_value = True
        elif tag == "row":
            self._begin_row(attributes)
        elif tag == "f":
            self._has_formula = True
        elif tag == "is":
            self._inline = TextReader()

    def text(self, piece: str) -> None:
        """Handle character data."""
        if self._inline:
            self._inline.text(piece)
        elif self._in_value and self._value is not None:
            self._value.append(piece)
            self._count(len(piece), MAX_CELL_CHARS)

    def end(self, tag: str) -> None:
        """Handle the end of an element."""
        if not self._in_rows:
            return
        if tag == "c":
            self._end_cell()
        elif tag == "v":
            self._in_value = False
        elif tag == "row" and self._cells:
            self.ready.append((self._row, self._cells))
        elif tag == "sheetData":
            self._in_rows = False
        elif self._inline and tag != "is":
            self._inline.end(tag)

    def _begin_row(self, attributes: Attributes) -> None:
        number = _whole(attributes.get("r"), self._row + 1)
        if not self._row < number <= XLSX_ROWS:
            message = f"row {number:,} follows row {self._row:,}"
            raise BadXml(message)
        self._row, self._column, self._cells, self._chars = number, -1, {}, 0

    def _begin_cell(self, attributes: Attributes) -> None:
        place = attributes.get("r")
        self._column = place_of(place) if place else self._column + 1
        if not 0 <= self._column < XLSX_COLUMNS:
            message = f"row {self._row:,} has more than {XLSX_COLUMNS:,} columns"
            raise BadXml(message)
        self._cell, self._value, self._has_formula, self._inline = attributes, None, False, None
        self._is_in_cell = True

    def _end_cell(self) -> None:
        cell = self._typed_cell()
        self._inline = None
        self._is_in_cell = False
        if cell is None:
            return
        if isinstance(cell, str):
            self._count(len(cell), MAX_LINE_BYTES)
        self._cells[self._column] = cell

    def _typed_cell(self) -> Cell:
        kind = self._cell.get("t", "n")
        number_format = self._format()
        if self._inline:
            return typed(self._inline.take(), number_format)
        value = None if self._value is None else "".join(self._value)
        if self._has_formula and (value is None or (value in self._uncomputed and kind != "str")):
            return UNCOMPUTED
        return None if value is None else self._stored(kind, value, number_format)

    def _stored(self, kind: str, value: str, number_format: NumberFormat) -> Cell:
        cell: Cell = None
        if kind == "s" and not value.strip():
            return None
        match kind:
            case "s":
                cell = typed(self._strings[_whole(value, -1)], number_format)
            case "str" | "inlineStr":
                cell = typed(unescaped(value), number_format)
            case "b":
                cell = typed(value.strip() in {"1", "true"}, number_format)
            case "e" | "d":
                cell = typed(None, number_format, **{kind: value})
            case _ if value.strip():
                cell = typed(_number(value), number_format)
        return cell

    def _format(self) -> NumberFormat:
        style = _whole(self._cell.get("s"), 0)
        return self._formats[style] if 0 <= style < len(self._formats) else 0

    def _count(self, chars: int, limit: int) -> None:
        self._chars += chars
        if self._chars > limit:
            message = f"row {self._row:,} has a cell of more than {limit:,} characters"
            raise BadXml(message)


@lru_cache(maxsize=XLSX_COLUMNS)
def column_index(letters: str) -> int:
    """Return a column's index, from 0, by its letters; -1 for invalid letters."""
    index = 0
    for letter in letters:
        if not "A" <= letter.upper() <= "Z" or index > XLSX_COLUMNS:
            return -1
        index = index * 26 + ord(letter.upper()) - ord("A") + 1
    return index - 1


def place_of(place: str) -> int:
    """Return the column's index of a place such as `D2`, or of letters alone."""
    return column_index(place.rstrip("0123456789"))


def column_letters(index: int) -> str:
    """Return a column's letters by its index, from 0."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and _WHOLE.fullmatch(text) else default


def _number(text: str) -> int | float | str:
    """Return a number as it is shown: 5 and 5.0 are 5. Anything else stays text."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < _EXACT_DIGITS else number
