"""Keep the exact values of a shard's rows beside their JSON: an Arrow IPC stream, compressed with zstd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batchdrop.adapters.formats.open_file import Sink
from batchdrop.errors import InvariantBroken
from batchdrop.ports import Source, Writer
from batchdrop.requests.row import Row


@contextmanager
def arrow_sidecar(target: Writer, schema: Any) -> Iterator[ArrowSidecar]:
    """Keep rows of this schema in `target`, which is complete when the context ends without an error."""
    import pyarrow as pa

    sink = Sink(target)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    sidecar = ArrowSidecar(pa.ipc.new_stream(sink, schema, options=options))
    try:
        yield sidecar
        sidecar.close()
    except BaseException:
        sink.abandon()
        raise


class ArrowSidecar:
    """Collects rows whose `origin` is (record batch, index), and writes each batch's run of rows as one slice."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._batch: Any = None
        self._first = 0
        self._count = 0

    def add(self, row: Row) -> None:
        """Keep the next row of the shard."""
        batch, index = row.origin
        if batch is not self._batch or index != self._first + self._count:
            self._write_run()
            self._batch, self._first = batch, index
        self._count += 1

    def close(self) -> None:
        """Write the buffered rows, and the end of the stream."""
        self._write_run()
        self._batch = None
        self._writer.close()

    def _write_run(self) -> None:
        if self._count:
            self._writer.write_batch(self._batch.slice(self._first, self._count))
        self._count = 0


class SidecarRows:
    """The kept rows of a shard, in order."""

    def __init__(self, source: Source) -> None:
        import pyarrow as pa

        self._stream = source.open()
        self._batches = iter(pa.ipc.open_stream(self._stream))
        self._rest: Any = None

    def take(self, count: int) -> Any:
        """Return the next `count` rows as an Arrow table."""
        import pyarrow as pa

        pieces = []
        while count:
            if self._rest is None or not self._rest.num_rows:
                self._rest = next(self._batches, None)
            if self._rest is None:
                message = f"the sidecar ends {count:,} rows before its shard"
                raise InvariantBroken(message)
            pieces.append(self._rest.slice(0, count))
            self._rest = self._rest.slice(pieces[-1].num_rows)
            count -= pieces[-1].num_rows
        return pa.Table.from_batches(pieces)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
