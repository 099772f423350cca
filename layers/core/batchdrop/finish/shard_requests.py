"""The requests of a shard's rows, on disk: a pack needs rows from all over the shard, and memory must stay flat."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import BinaryIO, NamedTuple

from batchdrop.answers import custom_id
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore
from batchdrop.requests.groups import Places
from batchdrop.requests.pack_limits import PackText, pack_text
from batchdrop.requests.pack_request import PackRequests
from batchdrop.requests.stored_request import stored_request

_NOWHERE = -1


class Kept(NamedTuple):
    """Where a kept request is: its first byte, and its size."""

    at: int
    size: int


class ShardRequests:
    """The requests of a create body by row. They are in `spool`; memory holds 20 bytes a row.

    `places` has the rows' groups, if the recipe has any.
    """

    def __init__(self, spool: BinaryIO, rows: int, places: Places | None = None) -> None:
        self._spool = spool
        self._places = places
        self._offsets = array("q", [_NOWHERE]) * rows
        self._lengths = array("I", [0]) * rows
        self._chars = array("q", [_NOWHERE]) * rows

    def read(self, store: ObjectStore, key: str) -> None:
        """Read the create body at `key`. Raises ObjectMissing."""
        at = self._spool.tell()
        with closing(store.stream(key)) as blocks:
            for line in whole_lines(blocks):
                request = stored_request(line)
                parsed = custom_id.parse(request.custom_id) if request else None
                if request is None or parsed is None:
                    continue
                params = bytes(request.params)
                text = pack_text(params)
                self._offsets[parsed.index], self._lengths[parsed.index] = at, len(params)
                self._chars[parsed.index] = _NOWHERE if text is None else len(text.own)
                self._spool.write(params)
                at += len(params)
        self._spool.flush()

    def rows(self) -> Iterator[int]:
        """Yield the rows that have a request."""
        return (row for row, offset in enumerate(self._offsets) if offset != _NOWHERE)

    def params(self, row: int) -> bytes:
        """Return a row's own `params`."""
        return os.pread(self._spool.fileno(), self._lengths[row], self._offsets[row])

    def keep(self, params: bytes) -> Kept:
        """Keep another request on the disk; return where it is."""
        at = os.fstat(self._spool.fileno()).st_size
        self._spool.write(params)
        self._spool.flush()
        return Kept(at, len(params))

    def kept(self, place: Kept) -> bytes:
        """Return a kept request."""
        return os.pread(self._spool.fileno(), place.size, place.at)

    def text(self, row: int) -> PackText:
        """Return a row's own text, and the one that it shares with its group."""
        return pack_text(self.params(row)) or PackText("")

    def group(self, row: int) -> int:
        """Return a row's group; all rows are in one if the recipe has none."""
        return 0 if self._places is None else self._places.group(row)

    def pack(self, rows: Sequence[int], requests: PackRequests, label: str) -> bytes:
        """Return the `params` of a pack of these rows, which are all of one group."""
        texts = [*map(self.text, rows)]
        return requests.params([text.own for text in texts], label, shared=texts[0].shared)

    def chars(self, row: int) -> int | None:
        """Return the length of a row's own text; None if its request cannot be part of a pack."""
        return None if self._chars[row] == _NOWHERE else self._chars[row]
