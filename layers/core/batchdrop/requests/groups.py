"""Groups of rows: which rows are about the same text, and where the rows of a shard stand in the file."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from batchdrop.requests.sandbox import spelled

DIGEST_BYTES = 16  # the chance that two of 10,000,000 groups collide is 1 in 10^24


def group_of(cells: Mapping[str, Any], by: str, shared: str) -> bytes:
    """Return the digest of a row's group: rows with the same value of `by` and the same shared text are in one.

    So a row whose shared text differs from that of others with its value is in a group of its own.
    """
    value = spelled(cells[by]).encode(errors="surrogatepass")
    digest = blake2b(b"%d:%b" % (len(value), value), digest_size=DIGEST_BYTES)
    digest.update(shared.encode(errors="surrogatepass"))
    return digest.digest()


class Place(NamedTuple):
    """A row of a shard: its row in the file, the index of the shard's row whose request it shares, and its group.

    All count from 0; a row with a request of its own has its own index. Groups are numbered within the shard.
    """

    row: int
    same_as: int
    group: int


class Places:
    """The places of a shard's rows, by index. Memory and the stored object hold 12 bytes a row."""

    def __init__(self, body: bytes = b"") -> None:
        self._numbers = array("I")
        self._numbers.frombytes(body)
        if sys.byteorder == "big":
            self._numbers.byteswap()

    def __len__(self) -> int:
        return len(self._numbers) // 3

    def __getitem__(self, index: int) -> Place:
        return Place(*self._numbers[3 * index : 3 * index + 3])

    @property
    def body(self) -> bytes:
        """Return the stored object: little-endian numbers."""
        stored = array("I", self._numbers)
        if sys.byteorder == "big":
            stored.byteswap()
        return stored.tobytes()

    def extend(self, places: Iterable[Place]) -> None:
        """Add the next rows."""
        for place in places:
            self._numbers.extend(place)

    def group(self, index: int) -> int:
        """Return a row's group."""
        return self._numbers[3 * index + 2]

    def by_row(self) -> list[int]:
        """Return the indexes in the order of the rows in the file."""
        return sorted(range(len(self)), key=self._numbers[::3].__getitem__)

    def index_of(self, row: int) -> int | None:
        """Return the index of a row of the file; None if the shard does not have it."""
        rows = self._numbers[::3]
        return rows.index(row) if row in rows else None
