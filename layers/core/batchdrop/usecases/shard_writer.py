"""Writes a shard's files side by side: the create body, and the rows it came from."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

import msgspec

from batchdrop.domain.estimate import Estimate
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import ShardItem
from batchdrop.domain.row import Row, StoredRow
from batchdrop.domain.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.ports import InputFormat, ObjectStore, Sidecar, Writer

BYTES_TOGETHER = 64 * 1024  # a write a row would cost as much as making it


class ShardWriter:
    """A context in which one shard grows. Its objects appear when it ends without an error, none when it fails."""

    def __init__(self, store: ObjectStore, keys: JobKeys, shard: int, reader: InputFormat) -> None:
        self._stack = ExitStack()
        self._requests_file = self._stack.enter_context(store.writer(keys.requests(shard)))
        self._rows_file = self._stack.enter_context(store.writer(keys.rows(shard)))
        self._sidecar = self._open_sidecar(store.writer(keys.sidecar(shard)), reader)
        self._stack.push(self._end)  # what goes wrong there is told to the files, too
        self._encode = msgspec.json.Encoder().encode
        self._shard = shard
        self._bytes = 0
        self._requests = 0
        self._waiting_requests: list[bytes] = []
        self._waiting_rows: list[bytes] = []
        self._waiting = 0  # bytes of both
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, row: Row, reason: str | None, request_line: bytes | None, same_as: int | None = None) -> None:
        """Append a row, and its request unless the row is a reject for this reason, or asks the same as another."""
        stored = self._encode(StoredRow(row.number, row.raw, reason, row.exact, same_as))
        self._waiting_rows.append(stored)
        self._waiting += len(stored)
        if self._sidecar is not None:
            self._sidecar.add(row)
        self.rows += 1
        if request_line is not None:
            self._add_to_body(BODY_SEPARATOR if self._requests else BODY_HEAD)
            self._add_to_body(request_line)
            self._requests += 1
        if self._waiting >= BYTES_TOGETHER:
            self._flush()

    def item(self, estimate: Estimate) -> ShardItem:
        """Return what the manifest keeps of the shard."""
        return ShardItem(
            shard=self._shard,
            rows=self.rows,
            requests=self._requests,
            bytes=self._bytes,
            input_tokens=estimate.input_tokens,
            max_output_tokens=estimate.max_output_tokens,
        )

    def _open_sidecar(self, file: AbstractContextManager[Writer], reader: InputFormat) -> Sidecar | None:
        """Open the third file, if the format has one; a writer that is not entered writes nothing."""
        if reader.sidecar is None:
            return None
        return self._stack.enter_context(reader.sidecar(self._stack.enter_context(file)))

    def _end(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._add_to_body(BODY_TAIL if self._requests else BODY_HEAD + BODY_TAIL)
            self._flush()

    def _add_to_body(self, piece: bytes) -> None:
        self._waiting_requests.append(piece)
        self._waiting += len(piece)
        self._bytes += len(piece)

    def _flush(self) -> None:
        """Write the rows and requests that wait for others."""
        self._requests_file.write(b"".join(self._waiting_requests))
        self._rows_file.write(b"\n".join((*self._waiting_rows, b"")))
        self._waiting_requests.clear()
        self._waiting_rows.clear()
        self._waiting = 0
