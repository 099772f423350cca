"""Write Parquet: the rows' own columns unchanged, then typed new columns, one file from all parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from batchdrop.adapters.formats.open_file import Sink
from batchdrop.adapters.formats.parquet.file import batches, open_parquet
from batchdrop.adapters.formats.parquet.footer import row_groups
from batchdrop.adapters.formats.parquet.input import schema_of
from batchdrop.adapters.formats.parquet.kept import UTC_TIMES, with_new_columns
from batchdrop.adapters.formats.parquet.pages import Texts
from batchdrop.adapters.formats.parquet.sidecar import SidecarRows
from batchdrop.adapters.formats.typed_values import RowFitter
from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.answers.outcome import Outcome
from batchdrop.errors import InvariantBroken, UploadRejected
from batchdrop.job.ports import Assemble, PartWriter
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import StoredRow

ROW_GROUP_BYTES = 32 * 1024 * 1024  # as Arrow; a writer holds a whole row group in memory
ROW_GROUP_ROWS = 131_072
FLUSH_BYTES = 4 * 1024 * 1024  # of Python values, before they are converted to Arrow
FLUSH_ROWS = 1_024

Cells = Callable[[str], dict[str, Any] | None]


class ParquetOutput:
    """Writes Parquet: from a Parquet upload with its `header`, from any other with its `columns` and `cells`.

    With a header, the upload's schema is kept (order, types, nullability, metadata), and the values come from the
    sidecar. Otherwise, each column has the type of its kind, and `cells` parses a row's `raw`; a row that cannot be
    parsed has only nulls of its own. A column of lists and objects (`json`) is a string of JSON, because an Arrow list
    or struct would need one type before the first answer is known, and answers differ.
    Raises UploadRejected if a new column has the name of one of the upload's.
    """

    extension = "parquet"
    changes_upload = False

    def __init__(
        self,
        new: NewColumns,
        *,
        header: str = "",
        schema: Any = None,
        columns: Sequence[Column] = (),
        cells: Cells | None = None,
        filename: str = "the file",
    ) -> None:
        self._new = new
        own = schema_of(header) if header else schema
        self._own = () if own is not None else tuple(columns)
        self._cells = cells if own is None else None
        self._utc_times = header.endswith(UTC_TIMES)
        self.schema = _extended(_schema(self._own) if own is None else own, new, filename)

    def part(self, target: Writer, sidecar: Source | None) -> AbstractContextManager[PartWriter]:
        """Open a shard's part, which is a Parquet file. A Parquet upload needs `sidecar`."""
        if self._cells is None and sidecar is None:
            message = "the sidecar of a Parquet shard is missing"
            raise InvariantBroken(message)
        return self._part(target, None if self._cells else sidecar)

    @property
    def whole(self) -> Assemble:
        """Return a function that writes the output, row group by row group, holding one batch of a part at a time."""
        return self._assemble

    def _assemble(self, parts: Iterable[Source], target: Writer, _upload: Source | None = None) -> None:
        with self._row_groups(target, self._whole_writer) as groups:
            for part in parts:
                for table in self._tables(part):
                    groups.add(table)

    @contextmanager
    def _part(self, target: Writer, sidecar: Source | None) -> Iterator[PartWriter]:
        kept = SidecarRows(sidecar) if sidecar else None
        try:
            with self._row_groups(target, self._part_writer) as groups:
                part = _Part(groups, RowFitter(self._own, self._new), kept, self._own_values)
                yield part
                part.flush()
        finally:
            if kept:
                kept.close()

    @contextmanager
    def _row_groups(self, target: Writer, writer_of: Callable[[Sink], Any]) -> Iterator[_RowGroups]:
        sink = Sink(target)
        writer = writer_of(sink)
        groups = _RowGroups(writer, self.schema, self._write)
        try:
            yield groups
            groups.flush()
            writer.close()
        except BaseException:
            sink.abandon()
            raise

    def _part_writer(self, sink: Sink) -> Any:
        return self._whole_writer(sink)

    def _whole_writer(self, sink: Sink) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetWriter(sink, self.schema, compression="zstd", write_time_adjusted_to_utc=self._utc_times)

    def _write(self, writer: Any, table: Any) -> None:
        """Write a table as one row group."""
        writer.write_table(table, row_group_size=table.num_rows)

    def _tables(self, part: Source) -> Iterator[Any]:
        """Yield a part's rows in order, one table per batch."""
        import pyarrow as pa

        with part.open() as stream, open_parquet(stream) as file:
            for batch in batches(file, Texts(stream, file.metadata, row_groups(stream), "a part of the output")):
                yield pa.Table.from_batches([batch])

    def _own_values(self, raw: str) -> list[Any]:
        if self._cells is None:
            return []
        cells = self._cells(raw) or {}
        return [cells.get(column.name) for column in self._own]


class _Part:
    """Buffers rows until a flush is worthwhile. Their own columns come from `kept`, else from the stored text."""

    def __init__(
        self, groups: _RowGroups, fitter: RowFitter, kept: SidecarRows | None, own: Callable[[str], list[Any]]
    ) -> None:
        self._groups = groups
        self._fitter = fitter
        self._kept = kept
        self._own = own
        self._rows: list[list[Any]] = []
        self._bytes = 0

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(rows, outcomes, strict=True):
            values = self._fitter.fit(self._own(row.raw), outcome)
            self._rows.append(values)
            self._bytes += len(row.raw) + sum(len(value) for value in values if isinstance(value, str))
            if len(self._rows) >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
                self.flush()

    def flush(self) -> None:
        """Pass the buffered rows on as an Arrow table."""
        import pyarrow as pa

        if not self._rows:
            return
        schema = self._groups.schema
        kept = self._kept.take(len(self._rows)).columns if self._kept else []
        added = zip(list(schema)[len(kept) :], zip(*self._rows, strict=True), strict=True)
        columns = [*kept, *(pa.array(values, type=field.type) for field, values in added)]
        self._groups.add(pa.Table.from_arrays(columns, schema=schema))
        self._rows, self._bytes = [], 0


class _RowGroups:
    """Buffers tables until they make a row group of a sensible size."""

    def __init__(self, writer: Any, schema: Any, write: Callable[[Any, Any], None]) -> None:
        self.schema = schema
        self._writer = writer
        self._write = write
        self._tables: list[Any] = []
        self._rows = 0
        self._bytes = 0

    def add(self, table: Any) -> None:
        self._tables.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._write(self._writer, pa.concat_tables(self._tables))
        self._tables, self._rows, self._bytes = [], 0, 0


def _extended(schema: Any, new: NewColumns, filename: str) -> Any:
    import pyarrow as pa

    for column in new.all:
        if column.name in schema.names:
            message = (
                f"{filename}: the file already has a column '{column.name}', the name of an output column; rename it, "
                "or set output.column or output.prefix in the recipe"
            )
            raise UploadRejected(message)
    fields = [pa.field(column.name, _arrow_type(column.kind)) for column in new.all]
    return pa.schema([*schema, *fields], metadata=with_new_columns(schema.metadata, new.all))


def _schema(columns: Iterable[Column]) -> Any:
    import pyarrow as pa

    return pa.schema([pa.field(column.name, _arrow_type(column.kind)) for column in columns])


def _arrow_type(kind: ColumnKind) -> Any:
    import pyarrow as pa

    match kind:
        case "string" | "json":
            return pa.string()
        case "number":
            return pa.float64()
        case "integer":
            return pa.int64()
        case "boolean":
            return pa.bool_()
