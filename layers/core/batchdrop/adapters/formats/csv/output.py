"""Write CSV and TSV: each row's own text if the input has the same format, then the new cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import chain, repeat
from typing import Any, Literal

import msgspec

from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.csv.input import CsvInput
from batchdrop.adapters.formats.text.encodings import Encoding, encode, encoder
from batchdrop.answers.columns import NewColumns
from batchdrop.answers.outcome import Outcome
from batchdrop.job.ports import Frame, InputFormat
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import StoredRow

# Characters that make a spreadsheet run a cell: OWASP's list (CSV Injection), and Japanese Excel's full-width signs.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
OwnCells = Callable[[Sequence[StoredRow]], list[str] | list[str | bytes]]

ENDINGS_KEPT = 64  # errors may quote their rows, so only a few endings are cached
_NUMBER = re.compile(r"[+-]?(\d[\d.,]*|\.\d+)(e[+-]?\d+)?%?", re.ASCII | re.IGNORECASE)


class CsvOutput:
    """Writes delimited values. `columns` are the input's own; `escapes`: new texts are escaped against formulas."""

    changes_upload = False

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
        cells = [_cell(dialect, escapes=escapes and column.kind == "string") for column in new.all]
        leading = len(new.answer) + len(new.added)
        self._cells = cells[:leading]
        self._ending = partial(_ending, dialect, encoding, cells[leading:])

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[_CsvPart]:  # noqa: ARG002 - the port's signature
        """Open a shard's part."""
        yield _CsvPart(target, self._own, self._cells, self._new, self._ending, self._dialect, self._encoding)

    @property
    def whole(self) -> Frame:
        """Return the header, with the encoding's byte order mark if it has one."""
        if isinstance(self._reader, CsvInput) and self._reader.is_headless:
            return Frame(self._encoding.mark + self._own_header())
        names = self._dialect.record(list(self._new.names))
        rest = f"{self._dialect.delimiter}{names}{self._dialect.line_end}"
        return Frame(self._encoding.mark + self._own_header() + encode(rest, self._encoding))

    def _own_header(self) -> bytes:
        reader = self._reader
        if isinstance(reader, CsvInput) and reader.dialect == self._dialect:
            return reader.own_header_in(self._encoding)
        if isinstance(reader, CsvInput) and reader.is_headless:
            return b""
        return encode(self._dialect.record(self._columns), self._encoding)


class _CsvPart:
    def __init__(
        self,
        target: Writer,
        own: OwnCells,
        cells: list[Callable[[Any], str]],
        new: NewColumns,
        ending: Callable[[tuple[Any, ...]], bytes],
        dialect: Dialect,
        encoding: Encoding,
    ) -> None:
        self._target = target
        self._own = own
        self._cells = cells
        self._cells_of = new.cells_of()
        self._details_of = new.details_of()
        self._ending = lru_cache(ENDINGS_KEPT)(ending)  # most rows end in the same few words
        self._delimiter = encode(dialect.delimiter, encoding)
        self._encode = encoder(encoding)

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Write each row's own text and the new cells; a ragged row is fitted to the header first."""
        encode, delimiter = self._encode, repeat(self._delimiter)
        pieces: list[Iterable[bytes]] = [[own if isinstance(own, bytes) else encode(own) for own in self._own(rows)]]
        values = zip(*map(self._cells_of, outcomes), strict=True)
        for cell, column in zip(self._cells, values, strict=True):
            pieces += (delimiter, map(encode, map(cell, column)))
        pieces += (delimiter, map(self._ending, map(self._details_of, outcomes)))
        # Joined as bytes: a single wide character would make every copy of a joined text wide.
        self._target.write(b"".join(chain.from_iterable(zip(*pieces, strict=False))))


def _ending(dialect: Dialect, encoding: Encoding, cells: list[Callable[[Any], str]], details: tuple[Any, ...]) -> bytes:
    """Return the end of a line: the cells after the answer's."""
    written = [cell(detail) for cell, detail in zip(cells, details, strict=True)]
    return encode(dialect.delimiter.join(written) + dialect.line_end, encoding)


def _cell(dialect: Dialect, *, escapes: bool) -> Callable[[Any], str]:
    """Return a function that writes a value as a cell; plain text, the usual case, takes one call."""
    write, quoted, delimiter = harmless if escapes else text, dialect.quoted, dialect.delimiter
    escape = dialect.escape or delimiter

    def cell(value: Any) -> str:
        if type(value) is not str or (escapes and value.startswith(_FORMULA)):
            return quoted(write(value))
        is_plain = not ('"' in value or delimiter in value or "\n" in value or "\r" in value or escape in value)
        return value if is_plain else quoted(value)

    return cell


def text(value: Any) -> str:
    """Return a value as a cell's text: empty for None, JSON for anything but text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def harmless(value: Any) -> str:
    """Return a text that no spreadsheet runs as a formula: an apostrophe precedes it, unless it is a number."""
    cell = text(value)
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def _own_cells(reader: InputFormat, columns: list[str], dialect: Dialect, encoding: Encoding) -> OwnCells:
    """Return a function for rows' own cells: the unchanged bytes if the formats are the same."""
    if not (isinstance(reader, CsvInput) and reader.dialect == dialect):
        return lambda rows: [dialect.record([text(value) for value in _cells(reader, row, columns)]) for row in rows]
    fitted = reader.fitted
    if encoding.name == reader.encoding.name:
        return lambda rows: [row.exact or row.raw if row.error is None else fitted(row.raw) for row in rows]
    return lambda rows: [row.raw if row.error is None else fitted(row.raw) for row in rows]


def _cells(reader: InputFormat, row: StoredRow, columns: list[str]) -> list[Any]:
    cells = reader.cells(row.raw) or {}
    return [cells.get(column) for column in columns]
