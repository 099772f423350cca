"""CSV and TSV out: each row's own text where the input was of the same kind, then the new cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, Literal

import msgspec

from batchdrop.adapters.formats.csv_input import CsvInput
from batchdrop.adapters.formats.dialect import Dialect
from batchdrop.adapters.formats.encodings import Encoding, encode, encoder
from batchdrop.domain.answer import NewColumns
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.row import StoredRow
from batchdrop.ports import Frame, InputFormat, Source, Writer

# What makes a spreadsheet run a cell: OWASP's list (CSV Injection), full-width signs of Japanese Excel included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
ENDINGS_KEPT = 64  # an error may quote its row: not more than these stay in memory
PIECES_TOGETHER = 128  # three a row; a write a row would cost as much as making it
_NUMBER = re.compile(r"[+-]?(\d[\d.,]*|\.\d+)(e[+-]?\d+)?%?", re.ASCII | re.IGNORECASE)


class CsvOutput:
    """Writes delimited values. `columns` are the input's own; `escapes`: new texts are no formulas."""

    def __init__(
        self,
        reader: InputFormat,
        columns: list[str],
        new: NewColumns,
        dialect: Dialect,
        *,
        extension: Literal["csv", "tsv"] = "csv",
        encoding: Encoding,
        escapes: bool,
    ) -> None:
        self.extension: str = extension
        self._reader = reader
        self._columns = columns
        self._new = new
        self._dialect = dialect
        self._encoding = encoding
        self._own = _own_cells(reader, columns, dialect, encoding)
        writes = [harmless if escapes and column.kind == "string" else text for column in new.all]
        cells = [_cell(write, dialect) for write in writes]
        self._cells = cells[: len(new.answer)]
        self._ending = partial(_ending, new, dialect, encoding, cells[len(new.answer) :])

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[_CsvPart]:  # noqa: ARG002 - the port's signature
        """Begin a shard's part."""
        part = _CsvPart(target, self._own, self._cells, self._ending, self._dialect, self._encoding)
        yield part
        part.flush()

    @property
    def whole(self) -> Frame:
        """Return the header, with the byte order mark if the encoding has one, before the parts."""
        names = self._dialect.record(list(self._new.names))
        rest = f"{self._dialect.delimiter}{names}{self._dialect.line_end}"
        return Frame(self._encoding.mark + self._own_header() + encode(rest, self._encoding))

    def _own_header(self) -> bytes:
        reader = self._reader
        if isinstance(reader, CsvInput) and reader.dialect == self._dialect:
            return reader.own_header_in(self._encoding)
        return encode(self._dialect.record(self._columns), self._encoding)


class _CsvPart:
    def __init__(
        self,
        target: Writer,
        own: Callable[[StoredRow], str | bytes],
        cells: list[Callable[[Any], str]],
        ending: Callable[[str, str, str], bytes],
        dialect: Dialect,
        encoding: Encoding,
    ) -> None:
        self._target = target
        self._own = own
        self._cells = cells
        self._ending = lru_cache(ENDINGS_KEPT)(ending)  # status and error are mostly the same few words
        self._delimiter = dialect.delimiter
        self._encode = encoder(encoding)
        self._pieces: list[bytes] = []

    def add(self, row: StoredRow, outcome: Outcome) -> None:
        """Write the row's own text with the new cells after it; a ragged row is made to fit the header first."""
        encode, own = self._encode, self._own(row)
        values = outcome.values or (None,) * len(self._cells)
        cells = [cell(value) for cell, value in zip(self._cells, values, strict=True)]
        self._pieces += (  # joined as bytes: one wide character would make every copy of a whole text a wide one
            own if isinstance(own, bytes) else encode(own),
            encode(self._delimiter.join(["", *cells, ""])),
            self._ending(outcome.status, outcome.error, outcome.raw),
        )
        if len(self._pieces) >= PIECES_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait for others."""
        self._target.write(b"".join(self._pieces))
        self._pieces.clear()


def _ending(
    new: NewColumns,
    dialect: Dialect,
    encoding: Encoding,
    cells: list[Callable[[Any], str]],
    status: str,
    error: str,
    raw: str,
) -> bytes:
    """Return a line's end, behind the answer's own cells."""
    values = new.values((), status, error, raw)[len(new.answer) :]
    written = [cell(value) for cell, value in zip(cells, values, strict=True)]
    return encode(dialect.delimiter.join(written) + dialect.line_end, encoding)


def _cell(write: Callable[[Any], str], dialect: Dialect) -> Callable[[Any], str]:
    quoted = dialect.quoted
    return lambda value: quoted(write(value))


def text(value: Any) -> str:
    """Return a value as a cell's text: nothing for None, JSON for what is no text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def harmless(value: Any) -> str:
    """Return a text so that no spreadsheet runs it as a formula: an apostrophe before it, unless it is a number."""
    cell = text(value)
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def _own_cells(
    reader: InputFormat, columns: list[str], dialect: Dialect, encoding: Encoding
) -> Callable[[StoredRow], str | bytes]:
    """Return what gives a row's own cells: unchanged, to the byte, where they are of the same kind already."""
    if not (isinstance(reader, CsvInput) and reader.dialect == dialect):
        return lambda row: dialect.record([text(value) for value in _cells(reader, row, columns)])
    if encoding.name == reader.encoding.name:
        return lambda row: reader.fitted(row.raw) if row.error is not None else row.exact or row.raw
    return lambda row: reader.fitted(row.raw) if row.error is not None else row.raw


def _cells(reader: InputFormat, row: StoredRow, columns: list[str]) -> list[Any]:
    cells = reader.cells(row.raw) or {}
    return [cells.get(column) for column in columns]
