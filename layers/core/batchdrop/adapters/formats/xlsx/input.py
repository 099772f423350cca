"""Read one sheet of an Excel workbook, with its types and number formats."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, BinaryIO

import msgspec

from batchdrop.adapters.formats.calamine.books import Kind, OtherBook
from batchdrop.adapters.formats.xlsx.book import read_book, read_formats
from batchdrop.adapters.formats.xlsx.cells import UNCOMPUTED, Cell, natural
from batchdrop.adapters.formats.xlsx.header import OpenSheet, SheetHeader, SheetOptions, find_header, trimmed
from batchdrop.adapters.formats.xlsx.package import Package, is_old
from batchdrop.adapters.formats.xlsx.sheet import SheetRow, sheet_rows
from batchdrop.adapters.formats.xlsx.shown import shown
from batchdrop.adapters.formats.xlsx.strings import SharedStrings
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source
from batchdrop.requests.chunking import chunks
from batchdrop.requests.row import Cursor, Row, Unusable, raw_size

_FOUND = SheetOptions()


class XlsxInput:
    """Reads the first visible sheet that has the recipe's columns, or the one that the recipe names.

    The first row that is not empty is the header. A header below titles is found if it is plain (`titles.py`). Rows
    without a value are skipped. Each row's `raw` is a JSON array of its cells (`xlsx_cells`). A cursor's `offset` and
    `lines` count the sheet's rows before it, header included; resuming reads the sheet from its start. A formula counts
    as its stored value; a row with a formula without one is rejected where the prompt uses it. The content tells the
    kind: .xls, .xlsb and .ods are read, too.
    """

    name = "xlsx"
    sidecar = None  # `raw` is exact

    def __init__(self, filename: str, header: str = "", *, options: SheetOptions = _FOUND) -> None:
        self._filename = filename
        self._options = options
        self._header = msgspec.json.decode(header, type=SheetHeader) if header else None

    @property
    def header(self) -> str:
        """Return the SheetHeader as JSON; empty before it is known."""
        return msgspec.json.encode(self._header).decode() if self._header else ""

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns; a blank one is `column_3`, counted from 1."""
        return self._header.columns if self._header else None

    @property
    def notes(self) -> list[str]:
        """Return what was found in the header, for people."""
        return self._header.notes if self._header else []

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows after `start`, in memory that does not grow with the sheet or its texts.

        Raises UploadRejected for a file that is not a workbook or is locked, broken or unsafe, and for an empty sheet.
        """
        with ExitStack() as stack:
            sheet = self._open_sheet(stack.enter_context(source.open()), stack)
            found = sheet.rows
            if self._header is None:
                self._header, found = find_header(sheet, self._options, self._filename)
            return chunks(self._rows(found, start, self._header, stack.pop_all()), raw_size)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells for prompts; None for text that is not a JSON array."""
        assert self._header
        cells = decoded(raw)
        if cells is None:
            return None
        return _named(cells, self._header.columns, epoch_1904=self._header.epoch_1904)

    def _open_sheet(self, stream: BinaryIO, stack: ExitStack) -> OpenSheet:
        if is_old(stream, self._filename):
            return self._open_other(stream, "xls", stack)
        package = Package(stream, self._filename)
        stack.callback(package.close)
        kind = package.kind
        return self._open_own(package, stack) if kind == "xlsx" else self._open_other(stream, kind, stack)

    def _open_other(self, stream: BinaryIO, kind: Kind, stack: ExitStack) -> OpenSheet:
        book = stack.enter_context(OtherBook(stream, kind, self._filename))
        name = self._header.sheet if self._header else book.sheet(self._options.sheet)
        width, rows = book.open_sheet(name)
        return OpenSheet(name, rows, is_converted=True, width=width)

    def _open_own(self, package: Package, stack: ExitStack) -> OpenSheet:
        book = read_book(package, self._filename)
        formats = read_formats(package, book.styles)
        with package.refusals():
            strings = stack.enter_context(contextlib.closing(shared_strings(package, book.strings)))

        def open_sheet(name: str, stack: ExitStack) -> OpenSheet:
            with package.refusals():
                stream = stack.enter_context(package.open(book.sheets[name]))
            found = self._refusing(package, sheet_rows(stream, strings, formats, zeros_stand_in=book.zeros_stand_in))
            return OpenSheet(name, found, book.epoch_1904, is_found=name != first)

        if self._header:
            first = self._header.sheet
            return open_sheet(first, stack)
        first = book.sheet(self._options.sheet, self._filename)
        others = [] if self._is_told else [name for name in book.sheets if name not in book.hidden and name != first]
        with_columns = (name for name in (first, *others) if self._has_wanted(partial(open_sheet, name)))
        return open_sheet(next(with_columns, first) if others else first, stack)

    @property
    def _is_told(self) -> bool:
        """Return whether the recipe says which sheet to read, or leaves no way to find it."""
        options = self._options
        return options.sheet is not None or options.header is not None or not options.wanted

    def _has_wanted(self, open_sheet: Callable[[ExitStack], OpenSheet]) -> bool:
        """Return whether a sheet has all columns that the recipe uses."""
        try:
            with ExitStack() as stack:
                header, _ = find_header(open_sheet(stack), self._options, self._filename)
        except UploadRejected:  # an empty sheet, or one that is broken
            return False
        return set(header.columns).issuperset(self._options.wanted)

    def _refusing(self, package: Package, rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
        with package.refusals():
            yield from rows

    def _rows(
        self, found: Iterator[SheetRow], start: Cursor, header: SheetHeader, opened: ExitStack
    ) -> Generator[Row, None, None]:
        with opened:
            count = start.rows
            columns = header.columns
            for number, by_column in found:
                if number <= max(start.offset, header.row):
                    continue
                cells = trimmed(by_column)
                if cells:
                    yield _row(cells, Cursor(number - 1, count, number - 1), header, columns)
                    count += 1


def decoded(raw: str) -> list[Cell] | None:
    """Return the cells in a row's `raw`; None for text that is not a JSON array."""
    try:
        return msgspec.json.decode(raw, type=list[Any])
    except (msgspec.DecodeError, RecursionError):
        return None


def _row(cells: list[Cell], start: Cursor, header: SheetHeader, columns: list[str]) -> Row:
    raw = msgspec.json.encode(cells).decode()
    where = f"sheet '{header.sheet}' row {start.lines + 1}"
    named = _as_shown(_named(cells, columns, epoch_1904=header.epoch_1904), cells)
    for name in [name for name, cell in zip(named, cells, strict=False) if cell == UNCOMPUTED]:
        reason = f"column '{name}': the formula has no stored value; open the file in a spreadsheet program and save it"
        named[name] = Unusable(reason)
    return Row(raw, start, named, where=where)


def _named(cells: list[Cell], columns: list[str], *, epoch_1904: bool) -> dict[str, Any]:
    beyond = [f"column_{number}" for number in range(len(columns) + 1, len(cells) + 1)]
    padded = [*cells, *[None] * (len(columns) - len(cells))]
    values = (natural(cell, epoch_1904=epoch_1904) for cell in padded)
    return dict(zip([*columns, *beyond], values, strict=True))


def _as_shown(named: dict[str, Any], cells: list[Cell]) -> dict[str, Any]:
    """Return a row's cells with numbers as their cells show them."""
    for (name, value), cell in zip(named.items(), cells, strict=False):
        if isinstance(value, int | float) and not isinstance(value, bool):
            named[name] = shown(value, cell.get("f", 0) if isinstance(cell, dict) else 0)
    return named


def shared_strings(package: Package, path: str) -> SharedStrings:
    """Return the workbook's texts; `path` is empty if it has none. Close them after use."""
    if not path or not package.has(path):
        return SharedStrings(None)
    with package.open(path) as stream:
        return SharedStrings(stream)
