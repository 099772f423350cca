"""Which rows of a shard share a request in one round: the pack sidecar, four bytes a row.

Each row has the next row of its pack, and the last one has the first. The other bits hold the size of the row's own
text, in steps of 8 bytes, which decides its share of the pack's input tokens.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence

ROW_BITS = 17  # a shard has at most 100,000 rows
STEP = 8  # bytes
_ROW = (1 << ROW_BITS) - 1
_MOST_STEPS = (1 << (32 - ROW_BITS)) - 1
_ALONE = 0xFFFFFFFF


class PackMembers:
    """The packs of one round. Memory holds four bytes a row."""

    def __init__(self, rows: int) -> None:
        self._next = array("I", [_ALONE]) * rows

    @classmethod
    def read(cls, body: bytes) -> PackMembers:
        """Return the packs in a sidecar."""
        members = cls(0)
        members._next.frombytes(body)
        if sys.byteorder == "big":
            members._next.byteswap()
        return members

    @property
    def body(self) -> bytes:
        """Return the sidecar: little-endian numbers."""
        stored = array("I", self._next)
        if sys.byteorder == "big":
            stored.byteswap()
        return stored.tobytes()

    def add(self, rows: Sequence[int], sizes: Iterable[int]) -> None:
        """Add a pack of rows in ascending order, with the bytes of each row's own text."""
        for row, after, size in zip(rows, (*rows[1:], rows[0]), sizes, strict=True):
            self._next[row] = min(size // STEP + 1, _MOST_STEPS - 1) << ROW_BITS | after

    def pack_of(self, first: int) -> list[int]:
        """Return the rows of the pack with this lowest row, in ascending order; none if no pack starts with it."""
        if not 0 <= first < len(self._next) or self._next[first] == _ALONE:
            return []
        rows, after = [first], self._next[first] & _ROW
        while after > rows[-1]:
            rows.append(after)
            after = self._next[after] & _ROW
        return rows if after == first else []

    def first_of(self, row: int) -> int | None:
        """Return the lowest row of a row's pack; None if the row is in no pack."""
        if self._next[row] == _ALONE:
            return None
        while (after := self._next[row] & _ROW) > row:
            row = after
        return after

    def size(self, row: int) -> int:
        """Return about how many bytes the row's own text has."""
        return (self._next[row] >> ROW_BITS) * STEP
