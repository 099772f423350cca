"""Read the few fields of Arrow's messages that say how much memory they need, before Arrow allocates it."""

from __future__ import annotations

import struct
from typing import NamedTuple, NoReturn

SCHEMA, DICTIONARY, RECORDS = 1, 2, 3

_CODECS = {0: "lz4", 1: "zstd"}


class BadMessage(ValueError):
    """The bytes cannot be read as a message; says why."""


class Body(NamedTuple):
    """A record batch's, or a dictionary's: its rows, its buffers as (offset, bytes), and its codec, if compressed."""

    rows: int
    buffers: list[tuple[int, int]]
    codec: str


class Message(NamedTuple):
    """What a message announces: its kind, the size of its body, and what is in that."""

    kind: int
    size: int
    body: Body | None


class Block(NamedTuple):
    """Where a message of a file is: its offset, the bytes before its body, and those of its body."""

    offset: int
    head: int
    size: int


def message(metadata: bytes) -> Message:
    """Parse a message's metadata. Raises BadMessage."""
    try:
        table = _Table(metadata, _offset(metadata, 0))
        kind, size = table.number(1, "<B"), table.number(3, "<q")
        header = table.table(2)
        if size < 0 or header is None:
            _refuse()
        if kind == DICTIONARY:
            header = header.table(1)
        body = _body(header) if kind in {DICTIONARY, RECORDS} and header else None
    except (struct.error, OverflowError) as error:
        raise BadMessage(str(error)) from error
    return Message(kind, size, body)


def footer_blocks(footer: bytes) -> list[Block]:
    """Return the dictionaries and record batches of a file, by its footer. Raises BadMessage."""
    try:
        table = _Table(footer, _offset(footer, 0))
        return [Block._make(block) for field in (2, 3) for block in table.structs(field, "<qi4xq")]
    except (struct.error, OverflowError) as error:
        raise BadMessage(str(error)) from error


def _body(table: _Table) -> Body:
    compression = table.table(3)
    codec = "" if compression is None else _CODECS.get(compression.number(0, "<b"))
    if codec is None:
        _refuse()
    return Body(table.number(0, "<q"), [(at, size) for at, size in table.structs(2, "<qq")], codec)


class _Table:
    """A table of a flatbuffer: fields by number, at places that its vtable has."""

    def __init__(self, buffer: bytes, at: int) -> None:
        self._buffer = buffer
        self._at = at
        self._vtable = at - struct.unpack_from("<i", buffer, at)[0]
        if self._vtable < 0:
            _refuse()
        self._fields = (struct.unpack_from("<H", buffer, self._vtable)[0] - 4) // 2

    def number(self, field: int, form: str) -> int:
        """Return a number; 0 if it is not set."""
        at = self._place(field)
        return int(struct.unpack_from(form, self._buffer, at)[0]) if at else 0

    def table(self, field: int) -> _Table | None:
        at = self._place(field)
        return _Table(self._buffer, at + _offset(self._buffer, at)) if at else None

    def structs(self, field: int, form: str) -> list[tuple[int, ...]]:
        """Return a list of structs of this form."""
        at = self._place(field)
        if not at:
            return []
        start = at + _offset(self._buffer, at)
        size = _offset(self._buffer, start) * struct.calcsize(form)
        if start + 4 + size > len(self._buffer):
            _refuse()
        return list(struct.iter_unpack(form, self._buffer[start + 4 : start + 4 + size]))

    def _place(self, field: int) -> int:
        if field >= self._fields:
            return 0
        place: int = struct.unpack_from("<H", self._buffer, self._vtable + 4 + 2 * field)[0]
        return self._at + place if place else 0


def _offset(buffer: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", buffer, at)[0])


def _refuse() -> NoReturn:
    message = "its metadata is damaged"
    raise BadMessage(message)
