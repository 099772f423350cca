"""A `Writer` as the file object that libraries want to write to."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batchdrop.ports import Writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Sink(io.RawIOBase):
    """A binary file that can only be appended to. After `abandon` it swallows everything.

    Libraries write a file's end when their own writer is thrown away, even after an error; `abandon` keeps that end
    from the target.
    """

    def __init__(self, target: Writer) -> None:
        self._target = target
        self._position = 0
        self._abandoned = False

    def abandon(self) -> None:
        """Write nothing more to the target."""
        self._abandoned = True

    def write(self, data: ReadableBuffer, /) -> int:
        """Append bytes and return how many."""
        block = bytes(data)
        if not self._abandoned:
            self._target.write(block)
        self._position += len(block)
        return len(block)

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self._position

    def writable(self) -> bool:
        """Return True: it can be written."""
        return True

    def seekable(self) -> bool:
        """Return False: what is written is gone."""
        return False
