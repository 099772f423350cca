"""A local file as the source of rows."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

BLOCK = 1024 * 1024


class LocalFile:
    """A Source on the local disk."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return self._path.stat().st_size

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield its bytes from offset `start`."""
        with self._path.open("rb") as file:
            file.seek(start)
            while block := file.read(BLOCK):
                yield block

    def open(self) -> BinaryIO:
        """Open it for random access."""
        return self._path.open("rb")
