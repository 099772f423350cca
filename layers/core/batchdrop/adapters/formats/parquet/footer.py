"""Read where a Parquet file's columns are, and how large, from its footer.

pyarrow knows this, too, but its `column()` ends the process if the footer's statistics do not fit the column.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from batchdrop.adapters.formats.parquet.thrift import BINARY, LIST, STRUCT, BadThrift, Thrift

BYTE_ARRAY = 6  # the physical type of texts
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3
_TYPE, _PATH, _VALUES, _UNPACKED, _PACKED, _DATA, _DICTIONARY = 1, 3, 5, 6, 7, 9, 11
_TAIL = 8  # bytes: the footer's size, and the mark


class Chunk(NamedTuple):
    """A column in a row group. Sizes are bytes, places are bytes of the file; `dictionary` is 0 if it has none."""

    path: str
    kind: int
    values: int
    unpacked: int
    packed: int
    data: int
    dictionary: int

    @property
    def has_texts(self) -> bool:
        """Return whether a dictionary has the column's texts."""
        return self.kind == BYTE_ARRAY and bool(self.dictionary)

    @property
    def start(self) -> int:
        """Return where its first page is."""
        return min(self.data, self.dictionary) if self.dictionary else self.data


def row_groups(stream: BinaryIO) -> list[list[Chunk]]:
    """Return the columns of each row group. Raises BadThrift."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _TAIL))
    size = int.from_bytes(stream.read(4), "little")
    if size > end - _TAIL:
        raise BadThrift(size)
    stream.seek(end - _TAIL - size)
    thrift = Thrift(stream.read(size))
    stream.seek(0)
    groups: list[list[Chunk]] = []
    for number, kind in thrift.fields():
        if number == _ROW_GROUPS and kind == LIST:
            count, inner = thrift.items()
            groups = [_group(thrift, inner) for _ in range(count)]
        else:
            thrift.skip(kind)
    return groups


def _group(thrift: Thrift, kind: int) -> list[Chunk]:
    _expect(kind, STRUCT)
    chunks: list[Chunk] = []
    for number, inner in thrift.fields():
        if number == _COLUMNS and inner == LIST:
            count, item = thrift.items()
            _expect(item, STRUCT)
            chunks = [_chunk(thrift) for _ in range(count)]
        else:
            thrift.skip(inner)
    return chunks


def _chunk(thrift: Thrift) -> Chunk:
    numbers: dict[int, int] = {}
    path = ""
    for number, kind in thrift.fields():
        if number == _META_DATA and kind == STRUCT:
            for inner, own in thrift.fields():
                if inner == _PATH and own == LIST:
                    path = _path(thrift)
                elif inner in _WANTED and own in _SIZES:
                    numbers[inner] = thrift.integer()
                else:
                    thrift.skip(own)
        else:
            thrift.skip(kind)
    return Chunk(path, *(numbers.get(wanted, 0) for wanted in _WANTED))


_WANTED = (_TYPE, _VALUES, _UNPACKED, _PACKED, _DATA, _DICTIONARY)
_SIZES = {5, 6}  # 32 and 64 bits


def _path(thrift: Thrift) -> str:
    count, kind = thrift.items()
    _expect(kind, BINARY)
    return ".".join(thrift.binary().decode(errors="replace") for _ in range(count))


def _expect(kind: int, wanted: int) -> None:
    if kind != wanted:
        raise BadThrift(kind)
