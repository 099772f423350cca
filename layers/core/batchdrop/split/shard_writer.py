"""Write a shard's files in parallel: the create body, and the rows it came from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

import msgspec

from batchdrop.answers import custom_id
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.job.ports import InputFormat, Sidecar
from batchdrop.job.sample import SAMPLE_SHARD
from batchdrop.money.estimate import Estimate
from batchdrop.ports import ObjectStore, Writer
from batchdrop.requests.request import request_lines
from batchdrop.requests.row import StoredRow
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.split.random_sample import DrawnRows
from batchdrop.split.rows_to_send import RenderedRows


class ShardWriter:
    """A context that writes one shard. Its objects appear when it ends without an error; otherwise none does."""

    def __init__(
        self, store: ObjectStore, keys: JobKeys, shard: int, reader: InputFormat, drawn: DrawnRows | None = None
    ) -> None:
        self._stack = ExitStack()
        self._requests_file = self._stack.enter_context(store.writer(keys.requests(shard)))
        self._rows_file = self._stack.enter_context(store.writer(keys.rows(shard)))
        self._sidecar = self._open_sidecar(store.writer(keys.sidecar(shard)), reader)
        self._stack.push(self._end)  # the files see its errors, too
        self._encoder = msgspec.json.Encoder()
        self._own_ids = custom_id.prefix(keys.job_id, shard)
        self._shard = shard
        self._bytes = 0
        self._requests = 0
        self._remembered = self._borrowed = self._sampled = 0
        self._drawn = drawn
        self._store, self._pins_key, self._digests_key = store, keys.remembered(shard), keys.digests(shard)
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, rendered: RenderedRows) -> None:
        """Append rows, and their requests."""
        first, self.rows = self.rows, self.rows + len(rendered.rows)
        same = zip(rendered.same_as, rendered.same_shard, strict=True)
        each = zip(rendered.rows, rendered.reasons, same, rendered.are_skipped, strict=True)
        stored = [
            StoredRow(row.start.rows + 1, row.raw, reason, row.exact, same_as, is_skipped, same_shard)
            for row, reason, (same_as, same_shard), is_skipped in each
        ]
        lent = len(stored) - rendered.same_shard.count(None)
        if lent and self._drawn is not None:
            stored = [self._marked(row) for row in stored]
            sampled = rendered.same_shard.count(SAMPLE_SHARD)
            self._sampled, lent = self._sampled + sampled, lent - sampled
        self._borrowed += lent
        self._rows_file.write(self._encoder.encode_lines(stored))
        if self._sidecar is not None:
            for row in rendered.rows:
                self._sidecar.add(row)
        requests = [(index, params) for index, params in enumerate(rendered.params, first) if params is not None]
        if requests:
            self._add_to_body(BODY_SEPARATOR if self._requests else BODY_HEAD)
            self._add_to_body(BODY_SEPARATOR.join(request_lines(self._own_ids, requests)))
            self._requests += len(requests)

    def pin(self, lines: Iterable[bytes]) -> None:
        """Write the result lines of the shard's remembered rows, if it has any."""
        for line in lines:
            if not self._remembered:
                self._pins_file = self._stack.enter_context(self._store.writer(self._pins_key))
            self._pins_file.write(line)
            self._remembered += 1

    def keep_digests(self, digests: bytes) -> None:
        """Write the digests of the shard's requests, for the attempts that split later shards."""
        self._stack.enter_context(self._store.writer(self._digests_key)).write(digests)

    def item(self, estimate: Estimate) -> ShardItem:
        """Return the shard's entry in the manifest."""
        return ShardItem(
            shard=self._shard,
            rows=self.rows,
            requests=self._requests,
            bytes=self._bytes,
            input_tokens=estimate.input_tokens,
            max_output_tokens=estimate.max_output_tokens,
            remembered=self._remembered,
            borrowed=self._borrowed,
            sampled=self._sampled,
        )

    def _marked(self, row: StoredRow) -> StoredRow:
        is_drawn = self._drawn is not None and row.same_shard == SAMPLE_SHARD and self._drawn.has(row.row)
        return msgspec.structs.replace(row, is_drawn=True) if is_drawn else row

    def _open_sidecar(self, file: AbstractContextManager[Writer], reader: InputFormat) -> Sidecar | None:
        """Open the sidecar file, if the format has one; a writer that is not entered writes nothing."""
        if reader.sidecar is None:
            return None
        return self._stack.enter_context(reader.sidecar(self._stack.enter_context(file)))

    def _end(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._add_to_body(BODY_TAIL if self._requests else BODY_HEAD + BODY_TAIL)

    def _add_to_body(self, piece: bytes) -> None:
        self._requests_file.write(piece)
        self._bytes += len(piece)
