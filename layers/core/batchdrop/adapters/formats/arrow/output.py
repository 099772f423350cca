"""Write Arrow IPC: the rows' own columns unchanged, then typed new columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchdrop.adapters.formats.arrow.input import arrow_header
from batchdrop.adapters.formats.open_file import Sink
from batchdrop.adapters.formats.parquet.output import ParquetOutput
from batchdrop.ports import Source

EXTENSIONS = {"arrow", "arrows", "feather", "ipc"}
DEFAULT_CODEC = "lz4"  # what pandas writes; each reader of Feather knows it


class ArrowOutput(ParquetOutput):
    """Writes Arrow as `ParquetOutput` writes Parquet. An Arrow upload keeps its form (file, stream) and its codec.

    The parts are streams, for a part of Parquet would not keep all of Arrow's types.
    """

    def __init__(self, *arguments: Any, header: str = "", extension: str = "arrow", **others: Any) -> None:
        self.extension = extension
        self._found = arrow_header(header) if header else None
        super().__init__(*arguments, schema=self._found.schema if self._found else None, **others)

    def _part_writer(self, sink: Sink) -> Any:
        import pyarrow as pa

        return pa.ipc.new_stream(sink, self.schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))

    def _whole_writer(self, sink: Sink) -> Any:
        import pyarrow as pa

        codec = self._found.codec if self._found else DEFAULT_CODEC
        # A dictionary that grows from batch to batch cannot be replaced in a file, but it can be added to.
        options = pa.ipc.IpcWriteOptions(compression=codec or None, emit_dictionary_deltas=True)
        if self._found and self._found.form == "stream":
            return pa.ipc.new_stream(sink, self.schema, options=options)
        footer = dict(self._found.footer) if self._found else {}
        return pa.ipc.new_file(sink, self.schema, options=options, metadata=footer or None)

    def _write(self, writer: Any, table: Any) -> None:
        writer.write_table(table)

    def _tables(self, part: Source) -> Iterator[Any]:
        import pyarrow as pa

        with part.open() as stream, pa.ipc.open_stream(stream) as batches:
            for batch in batches:
                yield pa.Table.from_batches([batch])
