"""Write the shards of a grouped job: the requests of whole groups, and where their rows stand in the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import islice
from math import ceil
from types import TracebackType
from typing import Self

from batchdrop.admission.budget import NOTHING
from batchdrop.answers import custom_id
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Grouping, Manifest, ShardItem
from batchdrop.job.pack_sizes import sizes_of
from batchdrop.money.prompt_tokens import text_size, tokeniser
from batchdrop.ports import ObjectStore
from batchdrop.requests.chunking import CHUNK_BYTES, CHUNK_ROWS
from batchdrop.requests.groups import Place, Places
from batchdrop.requests.pack_limits import pack_text
from batchdrop.requests.request import request_lines
from batchdrop.requests.sharding import BODY_HEAD, BODY_SEPARATOR, BODY_TAIL
from batchdrop.split.group_runs import RunRow


def chunks_of(rows: Iterator[RunRow]) -> Iterator[list[RunRow]]:
    """Yield rows in chunks that are small in memory."""
    while True:
        chunk: list[RunRow] = []
        size = 0
        for row in islice(rows, CHUNK_ROWS):
            chunk.append(row)
            size += len(row.content)
            if size >= CHUNK_BYTES:
                break
        if not chunk:
            return
        yield chunk


class GroupShard:
    """A context that writes one shard's create body and its places."""

    def __init__(self, store: ObjectStore, keys: JobKeys, shard: int) -> None:
        self._store, self._keys, self._shard = store, keys, shard
        self._own_ids = custom_id.prefix(keys.job_id, shard)
        self._stack = ExitStack()
        self._body = self._stack.enter_context(store.writer(keys.requests(shard)))
        self._stack.push(self._end)  # the file sees its errors, too
        self._digest = b""
        self._group = -1
        self._bytes = self._requests = 0
        self._places = Places()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _end(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._store.write(self._keys.places(self._shard), self._places.body)
            self._write(BODY_TAIL if self._requests else BODY_HEAD + BODY_TAIL)

    @property
    def rows(self) -> int:
        """Return how many rows the shard has."""
        return len(self._places)

    def add(self, rows: list[RunRow], params: list[bytes], same_as: list[int | None]) -> None:
        """Append rows in the order of their groups."""
        first = len(self._places)
        for index, (row, same) in enumerate(zip(rows, same_as, strict=True), first):
            if row.digest != self._digest:
                self._digest, self._group = row.digest, self._group + 1
            self._places.extend([Place(row.row, index if same is None else same, self._group)])
        each = enumerate(zip(params, same_as, strict=True), first)
        own = [(index, one) for index, (one, same) in each if same is None]
        if own:
            self._write(BODY_SEPARATOR if self._requests else BODY_HEAD)
            self._write(BODY_SEPARATOR.join(request_lines(self._own_ids, own)))
            self._requests += len(own)

    def item(self, input_tokens: int, max_output_tokens: int, worst_usd: Decimal = NOTHING) -> ShardItem:
        """Return the shard's entry in the manifest."""
        return ShardItem(
            self._shard, self.rows, self._requests, self._bytes, input_tokens, max_output_tokens, worst_usd
        )

    def _write(self, piece: bytes) -> None:
        self._body.write(piece)
        self._bytes += len(piece)


class GroupCount:
    """Counts groups and the packs that they make, for the estimate. Rows come by group."""

    def __init__(self, manifest: Manifest) -> None:
        assert manifest.recipe is not None, "only a recipe has groups"
        self._size = sizes_of(manifest)[-1]
        self._dearer = tokeniser(manifest.recipe.model)
        self._digest = b""
        self._rows = 0
        self._tokens = 0.0
        self.counted = Grouping()

    def add(self, digest: bytes, shared: str) -> None:
        """Add a row that has a request of its own."""
        if digest != self._digest:
            self.end_group()
            self._digest, self._tokens = digest, text_size(shared).tokens * self._dearer
        self._rows += 1

    def end_group(self) -> None:
        """Count the group that is open, if there is one."""
        if self._rows:
            self.add_group(self._rows, self._tokens)
        self._rows, self._digest = 0, b""

    def add_group(self, rows: int, tokens: float) -> None:
        """Count a group of so many rows, whose shared text has so many tokens."""
        packs = ceil(rows / self._size)
        self.counted.groups += 1
        self.counted.packs += packs
        self.counted.shared_tokens += rows * tokens
        self.counted.repeated_tokens += (rows - packs) * tokens


def own_texts(params: list[bytes]) -> list[tuple[str, str]]:
    """Return the shared and the own text of each request."""
    texts = map(pack_text, params)
    return [("", "") if text is None else (text.shared, text.own) for text in texts]
