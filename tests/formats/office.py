"""Reading Parquet and xlsx uploads and writing their outputs, as the use cases do."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import Any, BinaryIO, Protocol

from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.answers.columns import NewColumns
from batchdrop.answers.outcome import Outcome, rejected
from batchdrop.job.ports import InputFormat, OutputFormat
from batchdrop.requests.row import Cursor, Row, StoredRow
from tests.formats.reading import rows_in
from tests.formats.whole import whole_of

START = Cursor()


class Bytes:
    """A Source over bytes."""

    def __init__(self, body: bytes, name: str = "f") -> None:
        self.name = name
        self.body = body

    @property
    def size(self) -> int:
        """Return its bytes."""
        return len(self.body)

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield it as one block."""
        yield self.body[start:]

    def open(self) -> BinaryIO:
        """Open it."""
        return io.BytesIO(self.body)


class Target(bytearray):
    """A Writer into memory."""

    def write(self, data: bytes, /) -> None:
        """Append bytes."""
        self.extend(data)


class Joined(Protocol):
    """What answers a row."""

    def __call__(self, row: Row, /) -> Outcome:
        """Return the row's outcome."""


def answer(*values: Any) -> Callable[[Row], Outcome]:
    """Answer every usable row with these values; reject the others."""
    return lambda row: rejected(row.error) if row.error else Outcome("answered", "answered", values=values)


def parquet_output(body: bytes, new: NewColumns, outcome_of: Joined, *, shard_rows: int = 10**9) -> bytes:
    """Return the Parquet output of a Parquet upload that is cut into shards of so many rows."""
    from batchdrop.adapters.formats.parquet.output import ParquetOutput

    reader = ParquetInput("f.parquet")
    rows = list(rows_in(reader, Bytes(body), START))
    shards = [rows[start : start + shard_rows] for start in range(0, len(rows), shard_rows)]
    writer = ParquetOutput(new, header=reader.header)
    kept = [kept_rows(ParquetInput("f.parquet", reader.header), shard) for shard in shards]
    return assembled(
        writer, [part_of(writer, shard, outcome_of, side) for shard, side in zip(shards, kept, strict=True)]
    )


def kept_rows(reader: InputFormat, rows: list[Row]) -> Bytes:
    """Return the sidecar of a shard's rows."""
    target = Target()
    assert reader.sidecar is not None
    with reader.sidecar(target) as sidecar:
        for row in rows:
            sidecar.add(row)
    return Bytes(bytes(target))


def part_of(writer: OutputFormat, rows: list[Row], outcome_of: Joined, sidecar: Bytes | None = None) -> Bytes:
    """Return one shard's part."""
    target = Target()
    with writer.part(target, sidecar) as part:
        for row in rows:
            part.add([StoredRow(row.number, row.raw, row.error)], [outcome_of(row)])
    return Bytes(bytes(target))


def assembled(writer: OutputFormat, parts: list[Bytes]) -> bytes:
    """Return the output of these parts."""
    return whole_of(writer, [part.body for part in parts])
