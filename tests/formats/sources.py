"""Sources and writers of the formats' tests: bytes in memory, cut into blocks anywhere."""

from __future__ import annotations

import io
from collections.abc import Generator
from typing import BinaryIO


class Bytes:
    """A ports.Source of bytes in memory, in blocks of `block` bytes."""

    def __init__(self, body: bytes, *, name: str = "f.csv", block: int = 1 << 20) -> None:
        self.name = name
        self.body = body
        self.block = block

    @property
    def size(self) -> int:
        """Return its bytes."""
        return len(self.body)

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` on."""
        for at in range(start, len(self.body), self.block):
            yield self.body[at : at + self.block]

    def open(self) -> BinaryIO:
        """Return them as a file."""
        return io.BytesIO(self.body)


class Written:
    """A ports.Writer that keeps what it is given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        """Append bytes."""
        self.pieces.append(data)

    @property
    def body(self) -> bytes:
        """Return all that was written."""
        return b"".join(self.pieces)
