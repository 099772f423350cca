"""Add the file's name to a row, as a last column, in the way of each format."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from batchdrop.adapters.formats.arrow.input import ArrowInput, arrow_header
from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.csv.input import CsvInput
from batchdrop.adapters.formats.json.json_input import JsonInput
from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.adapters.formats.text.beginning import Beginning, kept, read_again
from batchdrop.adapters.formats.text.encodings import encode
from batchdrop.adapters.formats.text.lines import without_line_end
from batchdrop.adapters.formats.text.text_input import TextInput
from batchdrop.adapters.formats.xlsx.header import SheetHeader
from batchdrop.adapters.formats.xlsx.input import XlsxInput, decoded
from batchdrop.job.ports import InputFormat
from batchdrop.recipe.recipe import FormatName
from batchdrop.requests.row import Row

FILE = "_file"
_LINE_ENDS = str.maketrans("\r\n", "  ")  # only between tokens: JSON strings have them escaped


class Joined(NamedTuple):
    """How the rows of all tables are stored: as one table of this format, with this header."""

    format: FormatName
    header: str


class Stamp(Protocol):
    """Adds a file's name to its rows."""

    def __call__(self, row: Row) -> Row:
        """Return the row with the name in its text, its cells and its exact values."""


def joined(first: InputFormat) -> Joined:
    """Return how the rows of several tables are stored; `first` has read the beginning of one."""
    match first:
        case CsvInput() | TextInput():
            return _joined_csv(first)
        case XlsxInput():
            header = msgspec.json.decode(first.header, type=SheetHeader)
            titles = [*(header.titles if header.has_titles else header.columns), FILE]
            own = msgspec.structs.replace(header, titles=titles, has_titles=True, is_converted=True)
            return Joined("xlsx", msgspec.json.encode(own).decode())
        case ArrowInput():
            found = msgspec.structs.replace(arrow_header(first.header), schema_bytes=_extended(first.schema))
            return Joined("arrow", msgspec.json.encode(found).decode())
        case ParquetInput():
            return Joined("parquet", base64.b64encode(_extended(first.schema)).decode())
        case _:
            return Joined("jsonl", kept(msgspec.convert(msgspec.to_builtins(read_again(first.header)), Beginning)))


def stamp_of(reader: InputFormat, whole: InputFormat, name: str) -> Stamp:
    """Return what adds `name` to the rows of one table. `whole` reads the rows of all, as they are stored."""
    match reader:
        case CsvInput() | TextInput():
            assert isinstance(whole, CsvInput)
            return _CsvStamp(reader, whole, name)
        case XlsxInput():
            return _SheetStamp(len(whole.columns or []) - 1, name)
        case ParquetInput():
            return _TableStamp(name)
        case _:
            return _JsonStamp(name, spreads=isinstance(reader, JsonInput))


def _joined_csv(first: CsvInput | TextInput) -> Joined:
    if isinstance(first, TextInput):
        encoding = first.encoding
        return Joined("csv", kept(Beginning(encoding.name, encoding.marked, text=f"text,{FILE}", cells=2)))
    beginning = read_again(first.header)
    assert beginning
    cells = first.dialect.cells(without_line_end(beginning.text))
    has_header = bool(beginning.text)  # else the recipe names the columns, or nobody does
    titles = cells if has_header else list(first.columns or [])
    text = first.dialect.record([*titles, FILE]) + first.dialect.line_end
    exact = None
    if has_header and beginning.exact is not None:
        exact = beginning.exact + encode(first.dialect.delimiter + FILE, first.encoding)
    elif has_header:
        text = without_line_end(beginning.text) + first.dialect.delimiter + FILE + first.dialect.line_end
    whole = msgspec.structs.replace(beginning, text=text, exact=exact, cells=len(titles) + 1)
    return Joined("tsv" if first.name == "tsv" else "csv", kept(whole))


class _CsvStamp:
    def __init__(self, reader: CsvInput | TextInput, whole: CsvInput, name: str) -> None:
        self._name = name
        self._own = reader.dialect if isinstance(reader, CsvInput) else None
        self._dialect: Dialect = whole.dialect
        self._width = len(whole.columns or []) - 1
        self._behind = self._dialect.delimiter + self._dialect.quoted(name)
        is_same = self._own is not None and (self._own.delimiter, self._own.escape, self._own.spaced) == (
            self._dialect.delimiter,
            self._dialect.escape,
            self._dialect.spaced,
        )
        self._is_same = is_same
        same_encoding = reader.encoding.name == whole.encoding.name
        self._exact = encode(self._behind, whole.encoding) if is_same and same_encoding else None

    def __call__(self, row: Row) -> Row:
        cells = row.cells and {**row.cells, FILE: self._name}
        if cells and self._is_same:
            exact = row.exact + self._exact if row.exact is not None and self._exact is not None else None
            return msgspec.structs.replace(row, raw=row.raw + self._behind, cells=cells, exact=exact)
        own = [row.raw] if self._own is None else self._own.cells(row.raw)
        fitted = [*own[: self._width], *[""] * (self._width - len(own)), self._name, *own[self._width :]]
        return msgspec.structs.replace(row, raw=self._dialect.record(fitted), cells=cells, exact=None)


class _SheetStamp:
    def __init__(self, width: int, name: str) -> None:
        self._width = width
        self._name = name

    def __call__(self, row: Row) -> Row:
        own = decoded(row.raw) or []
        stored = [*own[: self._width], *[None] * (self._width - len(own)), self._name]
        cells = row.cells and {**row.cells, FILE: self._name}
        return msgspec.structs.replace(row, raw=msgspec.json.encode(stored).decode(), cells=cells)


class _JsonStamp:
    def __init__(self, name: str, *, spreads: bool) -> None:
        self._name = name
        self._spreads = spreads
        self._behind = f'"{FILE}":{msgspec.json.encode(name).decode()}}}'

    def __call__(self, row: Row) -> Row:
        raw = row.raw.translate(_LINE_ENDS) if self._spreads else row.raw
        if row.error is not None:
            return msgspec.structs.replace(row, raw=raw, exact=None)
        if FILE in row.cells:
            reason = f"it has a field '{FILE}', which names the file in the archive; rename it"
            return msgspec.structs.replace(row, raw=raw, cells={}, error=reason, exact=None)
        own = raw.rstrip().removesuffix("}").rstrip()
        raw = f"{own}{'' if own == '{' else ','}{self._behind}"
        return msgspec.structs.replace(row, raw=raw, cells={**row.cells, FILE: self._name}, exact=None)


class _TableStamp:
    """Adds the column to each record batch once; the sidecar keeps slices of it."""

    def __init__(self, name: str) -> None:
        self._json = _JsonStamp(name, spreads=False)
        self._name = name
        self._batch: Any = None
        self._stamped: Any = None

    def __call__(self, row: Row) -> Row:
        import pyarrow as pa

        batch, index = row.origin
        if batch is not self._batch:
            self._batch = batch
            names = pa.repeat(pa.scalar(self._name), batch.num_rows)
            self._stamped = batch.append_column(pa.field(FILE, pa.string()), names)
        return msgspec.structs.replace(self._json(row), origin=(self._stamped, index))


def _extended(schema: Any) -> bytes:
    import pyarrow as pa

    return bytes(schema.append(pa.field(FILE, pa.string())).serialize())


def differing_column(first: InputFormat, other: InputFormat) -> str | None:
    """Return how the columns of two tables differ, in words; None if they are the same."""
    if isinstance(first, ParquetInput) and isinstance(other, ParquetInput):
        return _differing_field(first.schema, other.schema)
    if isinstance(first, XlsxInput) and isinstance(other, XlsxInput):
        return _differing_name(first.columns, other.columns) or _dates(first, other)
    return _differing_name(first.columns, other.columns)


def _differing_name(first: Sequence[str] | None, other: Sequence[str] | None) -> str | None:
    if first is None or other is None or first == other:
        return None
    for name in first:
        if name not in other:
            return f"has no column '{name}'"
    for name in other:
        if name not in first:
            return f"has another column, '{name}'"
    moved = next(name for name, place in zip(other, first, strict=True) if name != place)
    return f"has the column '{moved}' in another place"


def _differing_field(first: Any, other: Any) -> str | None:
    differs = _differing_name(first.names, other.names)
    if differs:
        return differs
    for field, own in zip(first, other, strict=True):
        if field.type != own.type:
            return f"has the column '{field.name}' as {own.type}, not as {field.type}"
    return None


def _dates(first: XlsxInput, other: XlsxInput) -> str | None:
    epochs = {msgspec.json.decode(one.header, type=SheetHeader).epoch_1904 for one in (first, other)}
    return None if len(epochs) == 1 else "counts its dates from another year (the 1904 date system)"
