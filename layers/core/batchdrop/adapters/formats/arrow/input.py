"""Read Arrow IPC: batch by batch, with the exact values in a sidecar, like Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from batchdrop.adapters.formats.arrow.file import Form, batches, examined, open_arrow, refusals
from batchdrop.adapters.formats.parquet.input import OpenTable, ParquetInput


class ArrowHeader(msgspec.Struct, frozen=True):
    """Facts for a later reading: the schema, file or stream, the codec of its batches, and the file's own key-values.

    Bytes are base64.
    """

    schema_bytes: bytes
    form: Form
    codec: str
    footer: list[tuple[bytes, bytes]] = []

    @property
    def schema(self) -> Any:
        """Return the Arrow schema."""
        import pyarrow as pa

        return pa.ipc.read_schema(pa.py_buffer(self.schema_bytes))


class ArrowInput(ParquetInput):
    """Reads Arrow files and streams. `header` is an ArrowHeader as JSON."""

    name = "arrow"

    @property
    def schema(self) -> Any:
        """Return the schema in the header."""
        return arrow_header(self.header).schema

    def _open(self, stream: BinaryIO, size: int) -> OpenTable:  # noqa: ARG002 - Parquet needs the size
        found = examined(stream, self._filename)
        with self._refusals():
            reader = open_arrow(stream, found)
            footer = list((reader.metadata or {}).items()) if found.form == "file" else []
        header = ArrowHeader(reader.schema.serialize().to_pybytes(), found.form, found.codec, footer)
        self.header = msgspec.json.encode(header).decode()

        def read(start: int) -> Iterator[Any]:
            return batches(reader, found, start, self._filename)

        return OpenTable(reader.schema, read, lambda: None)

    def _refusals(self) -> Any:
        return refusals(self._filename)


def arrow_header(header: str) -> ArrowHeader:
    """Return what a header says."""
    return msgspec.json.decode(header, type=ArrowHeader)
