"""An entry of an index: where the answer to one request is. Entries sort as bytes: by key, flag, time and place."""

from __future__ import annotations

import struct
from itertools import chain, islice
from typing import NamedTuple, Self

from batchdrop.answer_store.key import KEY_BYTES

ENTRY_BYTES = 32
IDENTITY = KEY_BYTES + 1  # key and flags: of the entries that share them, only the newest counts
MOST_OFFSET = 2**48 - 1  # 281 TB
PACKED = 1

_FORM = struct.Struct(">16sBIHIIx")  # the offset is in two parts, of 2 and 4 bytes
_UNPACKED = _FORM.unpack_from
_LOW = 32
assert _FORM.size == ENTRY_BYTES


class Entry(NamedTuple):
    """Where an answer is: `offset` and `length` of its line, in bytes, without the newline.

    `at` is when it was answered, in Unix seconds. `packed`: it came from a pack, so it serves only packs.
    """

    key: bytes
    packed: bool
    at: int
    offset: int
    length: int

    def encoded(self) -> bytes:
        """Return the entry's 32 bytes. Raises struct.error for numbers that have no place in it."""
        high, low = self.offset >> _LOW, self.offset & (2**_LOW - 1)
        return _FORM.pack(self.key, PACKED if self.packed else 0, self.at, high, low, self.length)

    @classmethod
    def decoded(cls, entry: bytes) -> Self:
        """Return the entry of 32 bytes."""
        return cls.read(entry, 0)

    @classmethod
    def read(cls, entries: bytes, place: int) -> Self:
        """Return the entry whose 32 bytes begin at `place`."""
        key, flags, at, high, low, length = _UNPACKED(entries, place)
        return tuple.__new__(cls, (key, flags & PACKED == PACKED, at, high << _LOW | low, length))  # half the time


_TIME, _PLACE = slice(IDENTITY, IDENTITY + 4), slice(IDENTITY + 4, IDENTITY + 10)


def moved(entries: list[bytes], by: int) -> list[bytes]:
    """Return entries whose lines stand `by` bytes further on."""
    if not by:
        return entries
    start, end = _PLACE.start, _PLACE.stop
    number = int.from_bytes
    return [
        entry[:start] + (number(entry[start:end], "big") + by).to_bytes(6, "big") + entry[end:] for entry in entries
    ]


def newest(entries: list[bytes], *, since: int) -> list[bytes]:
    """Return of sorted entries the last one of each key and flag, if it was answered at `since` or later."""
    oldest = since.to_bytes(4, "big")
    following = chain(islice(entries, 1, None), (b"",))
    return [
        entry
        for entry, after in zip(entries, following, strict=False)  # no entries: the end follows nothing
        if entry[:IDENTITY] != after[:IDENTITY] and entry[_TIME] >= oldest
    ]
