"""Writes a shard's two files side by side: the create body, and the rows it came from."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

import msgspec

from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import ShardItem
from batchdrop.domain.row import StoredRow
from batchdrop.domain.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.ports import ObjectStore


class ShardWriter:
    """A context in which one shard grows. Both objects appear when it ends without an error, none when it fails."""

    def __init__(self, store: ObjectStore, keys: JobKeys, shard: int) -> None:
        self._stack = ExitStack()
        self._requests_file = self._stack.enter_context(store.writer(keys.requests(shard)))
        self._rows_file = self._stack.enter_context(store.writer(keys.rows(shard)))
        self._encoder = msgspec.json.Encoder()
        self._shard = shard
        self._bytes = 0
        self._requests = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write(BODY_TAIL if self._requests else BODY_HEAD + BODY_TAIL)
        self._stack.__exit__(kind, error, trace)

    def add(self, row: StoredRow, request_line: bytes | None) -> None:
        """Append a row, and its request unless the row is a reject."""
        self._rows_file.write(self._encoder.encode(row) + b"\n")
        self.rows += 1
        if request_line is not None:
            self._write((BODY_SEPARATOR if self._requests else BODY_HEAD) + request_line)
            self._requests += 1

    def item(self) -> ShardItem:
        """Return what the manifest keeps of the shard."""
        return ShardItem(shard=self._shard, rows=self.rows, requests=self._requests, bytes=self._bytes)

    def _write(self, data: bytes) -> None:
        self._requests_file.write(data)
        self._bytes += len(data)
