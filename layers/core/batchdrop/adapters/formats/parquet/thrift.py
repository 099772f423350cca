"""Read Thrift's compact protocol, in which Parquet writes its footer and the headers of its pages."""

from __future__ import annotations

from collections.abc import Iterator

INTEGERS = {4, 5, 6}  # 16, 32, 64 bits
BINARY, LIST, STRUCT = 8, 9, 12

_TRUE_FALSE, _BYTE, _DOUBLE, _SET, _MAP = {1, 2}, 3, 7, 10, 11
_DEEPEST = 16  # structs in structs; Parquet has six
_LONG = 15  # a list of so many items, or more, has its size as a number of its own


class BadThrift(ValueError):
    """The bytes end too early, or cannot be read as Thrift."""


class Thrift:
    """Reads values one after another, from the place `at`. All of it raises BadThrift."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield each field's number and kind; the caller reads or skips its value before the next one."""
        number = 0
        while (head := self._byte()) != 0:
            delta = head >> 4
            number = number + delta if delta else self.integer()
            yield number, head & 0x0F

    def items(self) -> tuple[int, int]:
        """Return the number of a list's items, and their kind."""
        head = self._byte()
        count = head >> 4
        count = self._varint() if count == _LONG else count
        if count > len(self.data):
            raise BadThrift(count)
        return count, head & 0x0F

    def integer(self) -> int:
        """Return a signed number."""
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def binary(self) -> bytes:
        """Return bytes."""
        length = self._varint()
        value = self.data[self.at : self.at + length]
        if len(value) < length:
            raise BadThrift(length)
        self.at += length
        return value

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over a value."""
        if depth > _DEEPEST:
            raise BadThrift(depth)
        if kind in INTEGERS:
            self._varint()
        elif kind == BINARY:
            self.binary()
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        elif kind in {LIST, _SET}:
            count, inner = self.items()
            for _ in range(count):
                self._skip_item(inner, depth)
        elif kind == _MAP:
            self._skip_map(depth)
        elif kind not in _TRUE_FALSE:
            self._skip_fixed(kind)

    def _skip_item(self, kind: int, depth: int) -> None:
        if kind in _TRUE_FALSE:
            self._byte()  # only as a field has a boolean no byte of its own
        else:
            self.skip(kind, depth + 1)

    def _skip_map(self, depth: int) -> None:
        count = self._varint()
        if count > len(self.data):
            raise BadThrift(count)
        kinds = self._byte() if count else 0
        for _ in range(count):
            self._skip_item(kinds >> 4, depth)
            self._skip_item(kinds & 0x0F, depth)

    def _skip_fixed(self, kind: int) -> None:
        sizes = {_BYTE: 1, _DOUBLE: 8}
        if kind not in sizes:
            raise BadThrift(kind)
        self.at += sizes[kind]

    def _byte(self) -> int:
        try:
            byte = self.data[self.at]
        except IndexError:
            raise BadThrift(self.at) from None
        self.at += 1
        return byte

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:  # noqa: PLR2004 - bits
                raise BadThrift(shift)
        return value | byte << shift
