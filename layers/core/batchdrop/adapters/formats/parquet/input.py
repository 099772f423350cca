"""Read Parquet: row groups are streamed in batches; a sidecar keeps the exact values of a shard's rows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import msgspec

from batchdrop.adapters.formats.headers import column_names
from batchdrop.adapters.formats.parquet.cells import Reader, reader_of
from batchdrop.adapters.formats.parquet.expansion import Expansion, refuse_endless_lists
from batchdrop.adapters.formats.parquet.file import batches, open_parquet, refusals, refuse_by_its_ends
from batchdrop.adapters.formats.parquet.footer import row_groups
from batchdrop.adapters.formats.parquet.kept import UTC_TIMES, changed_types, has_utc_times, with_footer
from batchdrop.adapters.formats.parquet.pages import Texts, refuse_large_pages
from batchdrop.adapters.formats.parquet.sidecar import arrow_sidecar
from batchdrop.errors import UploadRejected
from batchdrop.job.ports import Sidecar
from batchdrop.ports import Source, Writer
from batchdrop.requests.chunking import chunks
from batchdrop.requests.row import Cursor, Row, raw_size


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A file whose batches can be read, from any row on. `notes` says what an output cannot keep."""

    schema: Any
    batches: Callable[[int], Iterator[Any]]
    close: Callable[[], None]
    notes: Sequence[str] = ()


class ParquetInput:
    """Reads Parquet. `header` is the Arrow schema from an earlier reading, serialised as base64.

    Each row's `raw` is the JSON object of its cells; its `origin` is (record batch, index). A cursor's numbers are all
    three the count of rows before it.
    """

    name = "parquet"

    def __init__(self, filename: str, header: str = "") -> None:
        self._filename = filename
        self.header = header
        self._names: list[str] | None = None
        self.notes: list[str] = []

    @property
    def columns(self) -> list[str] | None:
        """Return the schema's columns; one without a name is `column_3`, counted from 1, a second `a` is `a_2`."""
        if self._names is None and self.header:
            self._names, _ = column_names(self.schema.names)
        return self._names

    @property
    def schema(self) -> Any:
        """Return the schema in the header."""
        return schema_of(self.header)

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows after `start`, in memory that does not grow with the file or its row groups.

        Raises UploadRejected for a file that is not of this format, is encrypted or broken, or has no columns.
        """
        stream = source.open()
        try:
            opened = self._open(stream, source.size)
            with self._refusals():  # a name that is not UTF-8 raises only when it is read
                titles, readers = opened.schema.names, [reader_of(field.type) for field in opened.schema]
            self._names, notes = self._named(titles)
            self.notes = [*opened.notes, *notes]
        except BaseException:
            stream.close()
            raise
        expansion = Expansion(self._filename, source.size)
        return chunks(self._rows(_File(opened, stream), readers, start.rows, expansion), raw_size)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells; None for text that is not a JSON object."""
        try:
            return msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            return None

    def sidecar(self, target: Writer) -> AbstractContextManager[Sidecar]:
        """Return a context that keeps a shard's rows in `target`: an Arrow IPC stream, compressed with zstd."""
        return arrow_sidecar(target, self.schema)

    def _open(self, stream: BinaryIO, size: int) -> OpenTable:
        refuse_by_its_ends(stream, self._filename)
        with self._refusals():
            file = open_parquet(stream)
            groups = row_groups(stream)
            refuse_endless_lists(file.metadata, groups, self._filename, size)
            refuse_large_pages(stream, groups, self._filename, size)
            schema = with_footer(file.schema_arrow, file.metadata.metadata)
            utc_times = has_utc_times(file)
            notes = changed_types(file, schema, utc_times=utc_times)
        self.header = base64.b64encode(schema.serialize()).decode() + (UTC_TIMES if utc_times else "")
        texts = Texts(stream, file.metadata, groups, self._filename)
        return OpenTable(schema, partial(batches, file, texts), file.close, notes)

    def _named(self, titles: list[str]) -> tuple[list[str], list[str]]:
        if not titles:
            message = f"{self._filename}: the file has no columns; write it with at least one and drop it again"
            raise UploadRejected(message)
        return column_names(titles)

    def _refusals(self) -> AbstractContextManager[None]:
        return refusals(self._filename)

    def _rows(
        self, opened: _File, readers: list[Reader], number: int, expansion: Expansion
    ) -> Generator[Row, None, None]:
        with opened, self._refusals():
            for batch in opened.table.batches(number):
                size = 0
                for row in self._batch_rows(batch, readers, number):
                    size += len(row.raw)
                    yield row
                number += batch.num_rows
                expansion.add(batch.num_rows, size, number=number)

    def _batch_rows(self, batch: Any, readers: list[Reader], number: int) -> Iterator[Row]:
        try:
            columns = [read(column) for read, column in zip(readers, batch.columns, strict=True)]
        except _UNREADABLE:
            for index in range(batch.num_rows):
                yield self._single_row(batch, index, readers, number + index)
            return
        names = self._names or []
        for index, values in enumerate(zip(*columns, strict=True)):
            yield _row(dict(zip(names, values, strict=True)), number + index, (batch, index))

    def _single_row(self, batch: Any, index: int, readers: list[Reader], number: int) -> Row:
        """Read one row of a batch in which some row has a bad value."""
        cells: dict[str, Any] = {}
        bad: list[str] = []
        for name, read, column in zip(self._names or [], readers, batch.columns, strict=True):
            try:
                [cells[name]] = read(column.slice(index, 1))
            except _UNREADABLE:
                cells[name] = None
                bad.append(name)
        return _row(cells, number, (batch, index), bad)


_UNREADABLE = (ValueError, OverflowError, IndexError)
"""Errors of readers for a value that cannot be a cell: text that is not UTF-8, an index outside its dictionary."""


class _File:
    """An open file, which is closed with the iterator of its rows."""

    def __init__(self, table: OpenTable, stream: BinaryIO) -> None:
        self.table = table
        self._stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.table.close()
        self._stream.close()


def schema_of(header: str) -> Any:
    """Return the Arrow schema in a header."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(header.removesuffix(UTC_TIMES))))


def _row(cells: dict[str, Any], number: int, origin: tuple[Any, int], bad: list[str] | None = None) -> Row:
    raw = msgspec.json.encode(cells).decode()
    start = Cursor(number, number, number)
    if bad:
        where = f"row {number + 1} column '{bad[0]}'"
        return Row(raw, start, error="its text is not UTF-8; write it as UTF-8", origin=origin, where=where)
    return Row(raw, start, cells, origin=origin, where=f"row {number + 1}")
