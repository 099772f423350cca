"""Add columns to a sheet's XML while it streams through: all other bytes stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from batchdrop.adapters.formats.xlsx.cells import Cell, is_empty
from batchdrop.adapters.formats.xlsx.formats import NumberFormat
from batchdrop.adapters.formats.xlsx.sheet import RowReader, column_letters, place_of
from batchdrop.adapters.formats.xlsx.strings import SharedStrings
from batchdrop.adapters.formats.xlsx.xml import Attributes, BadXml, parse

_SPANS = re.compile(rb'\s+spans="[^"]*"')
_REF = re.compile(rb'(\sref=")([A-Z]+)(\d+):([A-Z]+)(\d+)(")')
_PREFIX = re.compile(rb"</?(\w+:)?")

CellXml = Callable[[str, Cell, str, str], str]
"""Writes a cell as XML: its place (`D2`), its value, the prefix of its tags, and the number of its style, if any."""


@dataclass(frozen=True, slots=True)
class NewCells:
    """What is added: `column` is the index of the first new one, `titles` go into the row `header` if it has some.

    `rows` yields the new cells of each row that has a value, in order; `fitted` makes those of a row fit into cells.
    """

    column: int
    header: int
    titles: Sequence[str]
    rows: Iterator[Sequence[Cell]]
    fitted: Callable[[int, Sequence[Cell]], Sequence[Cell]]
    cell_xml: CellXml
    has_titles: bool = True


def extended(
    stream: IO[bytes], new: NewCells, strings: SharedStrings, formats: list[NumberFormat], *, own: int
) -> Iterator[bytes]:
    """Yield the sheet's XML with the new cells. `own` is the number of the header's columns. Raises BadXml."""
    copy = _Copy(stream)
    edits = _Edits(copy, new, RowReader(strings, formats), own)
    for _ in parse(copy, start=edits.start, end=edits.end, text=edits.text, watched=edits.watch):
        yield copy.take()
    yield copy.rest()


class _Copy:
    """A stream that keeps what was read from it, until that is taken with changes. Places are bytes of the stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._base = 0
        self._ready: list[bytes] = []
        self._done = 0  # the place up to which all is ready

    def read(self, size: int = -1, /) -> bytes:
        """Read and keep a block."""
        block = self._stream.read(size)
        self._kept += block
        return block

    def tag(self, at: int) -> bytes:
        """Return the tag at a place."""
        start = at - self._base
        end = self._kept.find(b">", start)  # attributes of these tags hold no `>`
        return bytes(self._kept[start : end + 1])

    def replace(self, start: int, end: int, by: bytes) -> None:
        """Replace the bytes of a range that follows all changes so far."""
        self._ready += (bytes(self._kept[self._done - self._base : start - self._base]), by)
        self._done = end

    def take(self) -> bytes:
        """Return what is ready, and forget it."""
        taken = b"".join(self._ready)
        self._ready.clear()
        del self._kept[: self._done - self._base]
        self._base = self._done
        return taken

    def rest(self) -> bytes:
        """Return all that is left."""
        end = self._base + len(self._kept)
        self.replace(end, end, b"")
        return self.take()


class _Edits:
    """Turns the parser's events into changes of the copy."""

    def __init__(self, copy: _Copy, new: NewCells, reader: RowReader, own: int) -> None:
        self._copy = copy
        self._new = new
        self._reader = reader
        self._own = own
        self._place: Callable[[], int] = lambda: 0
        self._in_rows = False
        self._blank_from: int | None = None  # where an empty cell of a new column begins
        self._column = -1
        self._title_style = ""

    def watch(self, place: Callable[[], int]) -> None:
        self._place = place

    def text(self, piece: str) -> None:
        self._reader.text(piece)

    def start(self, tag: str, attributes: Attributes) -> None:
        at = self._place()
        self._drop_blank(at)
        self._reader.start(tag, attributes)
        if tag in {"dimension", "autoFilter"}:
            self._widen(at)
        elif tag == "sheetData":
            self._in_rows = True
        elif tag == "row" and self._in_rows:
            self._column = -1
            tag_bytes = self._copy.tag(at)
            if b" spans=" in tag_bytes:
                self._copy.replace(at, at + len(tag_bytes), _SPANS.sub(b"", tag_bytes))
        elif tag == "c" and self._in_rows:
            self._begin_cell(at, attributes)

    def end(self, tag: str) -> None:
        at = self._place()
        self._drop_blank(at)
        self._reader.end(tag)
        if tag == "row" and self._in_rows:
            for number, cells in self._reader.ready:
                self._end_row(at, number, cells)
            self._reader.ready.clear()
        elif tag == "sheetData":
            self._in_rows = False

    def _begin_cell(self, at: int, attributes: Attributes) -> None:
        place = attributes.get("r")
        self._column = place_of(place) if place else self._column + 1
        if self._column >= self._new.column:
            self._blank_from = at
        elif self._column == self._own - 1 and self._reader.row == self._new.header:
            self._title_style = attributes.get("s", "")

    def _drop_blank(self, at: int) -> None:
        if self._blank_from is not None and self._reader.is_between_cells:
            self._copy.replace(self._blank_from, at, b"")
            self._blank_from = None

    def _end_row(self, at: int, number: int, cells: dict[int, Cell]) -> None:
        if number < self._new.header or not has_value(cells):
            return
        tag = self._copy.tag(at)
        prefix = (_PREFIX.match(tag)[1] or b"").decode()  # type: ignore[index] # it is a tag
        if number == self._new.header:
            values: Sequence[Cell] = self._new.titles if self._new.has_titles else ()
        else:
            values = next(self._new.rows, ())
            if not values:
                message = f"row {number:,} has no answer"
                raise BadXml(message)
            values = self._new.fitted(number, values)
        style = self._title_style if number == self._new.header else ""
        written = [
            self._new.cell_xml(f"{column_letters(column)}{number}", value, prefix, style)
            for column, value in enumerate(values, self._new.column)
            if value is not None
        ]
        self._copy.replace(at, at, "".join(written).encode())

    def _widen(self, at: int) -> None:
        tag = self._copy.tag(at)
        wider = widened(tag, self._new, own=self._own)
        if wider != tag:
            self._copy.replace(at, at + len(tag), wider)


def widened(tag: bytes, new: NewCells, *, own: int) -> bytes:
    """Return a tag whose range is as wide as the table with the new columns, if it ends at the old one's last column.

    A dimension is widened wherever it ends before the new columns do.
    """
    last = new.column + len(new.titles) - 1

    def wider(match: re.Match[bytes]) -> bytes:
        end = place_of(match[4].decode())
        is_table = end == own - 1 and int(match[3]) == new.header
        if b"dimension" not in tag and not is_table:
            return match[0]
        letters = column_letters(max(last, end)).encode()
        return b"".join((match[1], match[2], match[3], b":", letters, match[5], match[6]))

    return _REF.sub(wider, tag)


def has_value(cells: dict[int, Cell]) -> bool:
    """Return whether a row of the sheet is a row of the table."""
    return not all(map(is_empty, cells.values()))
