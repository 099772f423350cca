"""CSV out: each row's own text where the input was CSV of the same kind, then the new cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from batchdrop.adapters.formats.csv_input import CsvInput
from batchdrop.adapters.formats.dialect import Dialect
from batchdrop.adapters.formats.lines import without_line_end
from batchdrop.adapters.formats.parts import copy
from batchdrop.domain.answer import NewColumns
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.row import StoredRow
from batchdrop.ports import InputFormat, Source, Writer

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet run a cell


class CsvOutput:
    """Writes comma-separated values. `columns` are the input's own; None where its rows name their own."""

    def __init__(
        self, reader: InputFormat, columns: list[str], new: NewColumns, dialect: Dialect, *, escapes: bool
    ) -> None:
        self.extension = "csv"
        self._reader = reader
        self._columns = columns
        self._new = new
        self._dialect = dialect
        self._texts = _texts(new, escapes=escapes)

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[_CsvPart]:  # noqa: ARG002 - the port's signature
        """Begin a shard's part."""
        yield _CsvPart(target, self._own_cells(), self._new, self._dialect, self._texts)

    def assemble(self, parts: Iterable[Source], target: Writer) -> None:
        """Write the header and the parts behind it."""
        names = self._dialect.record(list(self._new.names))
        target.write(f"{self._own_header()}{self._dialect.delimiter}{names}{self._dialect.line_end}".encode())
        copy(parts, target)

    def _own_header(self) -> str:
        if isinstance(self._reader, CsvInput) and self._reader.dialect == self._dialect:
            return without_line_end(self._reader.header)
        return self._dialect.record(self._columns)

    def _own_cells(self) -> Callable[[StoredRow], str]:
        """Return what gives a row's own cells as text: unchanged, where they are CSV of the same kind already."""
        reader, columns, dialect = self._reader, self._columns, self._dialect
        if isinstance(reader, CsvInput) and reader.dialect == dialect:
            return lambda row: row.raw if row.error is None else reader.fitted(row.raw)
        return lambda row: dialect.record([text(value) for value in _cells(reader, row, columns)])


class _CsvPart:
    def __init__(
        self,
        target: Writer,
        own: Callable[[StoredRow], str],
        new: NewColumns,
        dialect: Dialect,
        texts: list[Callable[[Any], str]],
    ) -> None:
        self._write = target.write
        self._own = own
        self._new = new
        self._dialect = dialect
        self._texts = texts

    def add(self, row: StoredRow, outcome: Outcome) -> None:
        """Write the row's own text with the new cells after it; a ragged row is made to fit the header first."""
        values = self._new.values(outcome.values, outcome.status, outcome.error, outcome.raw)
        quoted = self._dialect.quoted
        cells = [quoted(write(value)) for write, value in zip(self._texts, values, strict=True)]
        line = self._dialect.delimiter.join([self._own(row), *cells]) + self._dialect.line_end
        self._write(line.encode())


def text(value: Any) -> str:
    """Return a value as a cell's text: nothing for None, JSON for what is no text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def harmless(value: Any) -> str:
    """Return a text so that no spreadsheet runs it as a formula: an apostrophe before it, unless it is a number."""
    cell = text(value)
    return f"'{cell}" if cell.startswith(_FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _texts(new: NewColumns, *, escapes: bool) -> list[Callable[[Any], str]]:
    return [harmless if escapes and column.kind == "string" else text for column in new.all]


def _cells(reader: InputFormat, row: StoredRow, columns: list[str]) -> list[Any]:
    cells = reader.cells(row.raw) or {}
    return [cells.get(column) for column in columns]
