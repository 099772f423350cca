"""Write a block of a grouped job: some rows of the file, in order. Their requests are in the shards of their groups."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

import msgspec

from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.job.ports import InputFormat
from batchdrop.ports import ObjectStore
from batchdrop.requests.row import StoredRow
from batchdrop.split.rows_to_send import RenderedRows


class BlockWriter:
    """A context that writes one block. Its objects appear when it ends without an error; otherwise none does."""

    def __init__(self, store: ObjectStore, keys: JobKeys, block: int, reader: InputFormat) -> None:
        self._stack = ExitStack()
        self._rows_file = self._stack.enter_context(store.writer(keys.rows(block)))
        self._sidecar = None
        if reader.sidecar is not None:
            file = self._stack.enter_context(store.writer(keys.sidecar(block)))
            self._sidecar = self._stack.enter_context(reader.sidecar(file))
        self._encoder = msgspec.json.Encoder()
        self._block = block
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, rendered: RenderedRows) -> None:
        """Append rows, with the reasons of those that are not sent."""
        each = zip(rendered.rows, rendered.reasons, rendered.are_skipped, strict=True)
        stored = [
            StoredRow(row.start.rows + 1, row.raw, reason, row.exact, None, is_skipped)
            for row, reason, is_skipped in each
        ]
        self._rows_file.write(self._encoder.encode_lines(stored))
        if self._sidecar is not None:
            for row in rendered.rows:
                self._sidecar.add(row)
        self.rows += len(rendered.rows)

    @property
    def item(self) -> ShardItem:
        """Return the block's entry in the manifest."""
        return ShardItem(shard=self._block, rows=self.rows, requests=0, bytes=0)
