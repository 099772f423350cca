"""The requests of a shard's rows, on disk: a pack needs rows from all over the shard, and memory must stay flat."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

import msgspec

from batchdrop.answers import custom_id
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore
from batchdrop.requests.pack_limits import own_text
from batchdrop.requests.stored_request import stored_request

_NOWHERE = -1


class ShardRequests:
    """The requests of a create body by row. They are in `spool`; memory holds 20 bytes a row."""

    def __init__(self, spool: BinaryIO, rows: int) -> None:
        self._spool = spool
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
                text = own_text(params)
                self._offsets[parsed.index], self._lengths[parsed.index] = at, len(params)
                self._chars[parsed.index] = _NOWHERE if text is None else len(text)
                self._spool.write(params)
                at += len(params)
        self._spool.flush()

    def rows(self) -> Iterator[int]:
        """Yield the rows that have a request."""
        return (row for row, offset in enumerate(self._offsets) if offset != _NOWHERE)

    def params(self, row: int) -> bytes:
        """Return a row's own `params`."""
        return os.pread(self._spool.fileno(), self._lengths[row], self._offsets[row])

    def text(self, row: int) -> str:
        """Return a row's own text."""
        return own_text(self.params(row)) or ""

    def chars(self, row: int) -> int | None:
        """Return the length of a row's own text; None if its request cannot be part of a pack."""
        return None if self._chars[row] == _NOWHERE else self._chars[row]


def raised(params: bytes, times: int) -> bytes:
    """Return `params` with a multiple of their `max_tokens`."""
    fields = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    limit = msgspec.json.decode(fields["max_tokens"], type=int)
    fields["max_tokens"] = msgspec.Raw(b"%d" % (limit * times))
    return msgspec.json.encode(fields)
