"""Wrap a `Writer` as the file object that libraries write to."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batchdrop.ports import Writer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Sink(io.RawIOBase):
    """An append-only binary file. After `abandon`, it discards everything.

    Libraries write the end of a file when their own writer is deleted, even after an error. `abandon` keeps it out
    of the target.
    """

    def __init__(self, target: Writer) -> None:
        self._target = target
        self._position = 0
        self._abandoned = False

    def abandon(self) -> None:
        """Discard all further writes."""
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
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False: written bytes cannot be changed."""
        return False
