"""Find the header of a sheet: the recipe says where it is, or it is plain in the first rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import msgspec

from batchdrop.adapters.formats.headers import column_names
from batchdrop.adapters.formats.titles import header_place, shortened_title
from batchdrop.adapters.formats.xlsx.cells import Cell, is_empty, natural
from batchdrop.adapters.formats.xlsx.sheet import SheetRow
from batchdrop.errors import UploadRejected

_SAMPLE_ROWS = 100
_SAMPLE_CHARS = 1 << 18


class SheetHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """Facts for a later reading: the sheet, its header (`titles` as in the file, in `row`), and its date system.

    `over` is the title above a header that was found. `has_titles` is False if the sheet has no header: its rows begin
    below `row`, and `titles` are the recipe's names, or blank. `is_converted`: the file is none that can be extended.
    `is_found`: the sheet is not the first, but has the recipe's columns.
    """

    sheet: str
    titles: list[str]
    row: int
    epoch_1904: bool = False
    over: str = ""
    has_titles: bool = True
    is_converted: bool = False
    is_found: bool = False

    @property
    def columns(self) -> list[str]:
        """Return the columns' names; a blank one is `column_3`, counted from 1."""
        return column_names(self.titles)[0]

    @property
    def notes(self) -> list[str]:
        """Return what is not plain: where the header is, how the output differs, what columns are called without it."""
        notes = [f"the rows are on the sheet '{self.sheet}', which has the recipe's columns"] if self.is_found else []
        notes += [f"the header is in row {self.row}, below '{self.over}'"] if self.over else []
        if self.is_converted:
            notes.append(f"the output is an .xlsx with the sheet '{self.sheet}' alone, without its styles")
        return [*notes, *(column_names(self.titles)[1] if self.has_titles else [])]


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """What the recipe says about a workbook: the sheet, the rows over its header, and the names of its columns.

    `header` False: the sheet has none; names: it has none, and these are the columns. `wanted` are the columns that the
    recipe uses.
    """

    sheet: str | None = None
    skip: int | None = None
    header: Literal[False] | tuple[str, ...] | None = None
    wanted: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class OpenSheet:
    """A sheet that is read: its rows, and what is known without them. `width` is its number of columns, if known."""

    name: str
    rows: Iterator[SheetRow]
    epoch_1904: bool = False
    is_converted: bool = False
    width: int = 0
    is_found: bool = False

    def header(self, titles: list[str], row: int, *, over: str = "", has_titles: bool = True) -> SheetHeader:
        """Return the sheet's header, with a blank title for each column beyond it that is known to exist."""
        padded = [*titles, *[""] * (self.width - len(titles))]
        return SheetHeader(self.name, padded, row, self.epoch_1904, over, has_titles, self.is_converted, self.is_found)


def find_header(sheet: OpenSheet, options: SheetOptions, filename: str) -> tuple[SheetHeader, Iterator[SheetRow]]:
    """Return a sheet's header, and all its rows. Raises UploadRejected for an empty sheet, or too few names."""
    skip = options.skip or 0
    rows = sheet.rows
    sample = list(_sample(rows, skip))
    table = [(number, cells) for number, by_column in sample if number > skip and (cells := trimmed(by_column))]
    if not table:
        after = f" below row {skip}" if skip else ""
        message = (
            f"{filename}: the sheet '{sheet.name}' is empty{after}; its first row names the columns. "
            "To read another sheet, set input.sheet in the recipe"
        )
        raise UploadRejected(message)
    return _header(sheet, options, table, filename), chain(sample, rows)


def trimmed(by_column: dict[int, Cell]) -> list[Cell]:
    """Return a row's cells without trailing empty ones."""
    filled = [column for column, cell in by_column.items() if not is_empty(cell)]
    return [by_column.get(column) for column in range(max(filled, default=-1) + 1)]


def _header(sheet: OpenSheet, options: SheetOptions, table: list[tuple[int, list[Cell]]], filename: str) -> SheetHeader:
    if options.header is None:
        return _own_header(sheet, options, table)
    width = max(len(cells) for _, cells in table)
    names = list(options.header or [])
    if names and len(names) < width:
        message = (
            f"{filename}: key 'input.header' names {len(names)} columns, but a row has {width} cells; name each of them"
        )
        raise UploadRejected(message)
    return sheet.header(names or [""] * width, options.skip or 0, has_titles=False)


def _own_header(sheet: OpenSheet, options: SheetOptions, table: list[tuple[int, list[Cell]]]) -> SheetHeader:
    texts = [[_title(cell, epoch_1904=sheet.epoch_1904) for cell in cells] for _, cells in table]
    at = header_place(_without_margin(texts), options.wanted, is_padded=False) if options.skip is None else 0
    return sheet.header(texts[at], table[at][0], over=shortened_title(texts[0]) if at else "")


def _without_margin(texts: list[list[str]]) -> list[list[str]]:
    """Return rows without the empty columns on their left."""
    margin = min(next((at for at, text in enumerate(row) if text), len(row)) for row in texts)
    return [row[margin:] for row in texts]


def _sample(rows: Iterable[SheetRow], skip: int) -> Iterator[SheetRow]:
    """Yield the first rows below `skip`, and those above it."""
    chars = count = 0
    for number, cells in rows:
        yield number, cells
        if number > skip:
            count += 1
            chars += sum(len(cell) for cell in cells.values() if isinstance(cell, str))
            if count >= _SAMPLE_ROWS or chars >= _SAMPLE_CHARS:
                return


def _title(cell: Any, *, epoch_1904: bool) -> str:
    value = natural(cell, epoch_1904=epoch_1904)
    return "" if value is None else str(value)
