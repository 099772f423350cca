"""Files for data that must not stay in memory: bodies, results, bills."""

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 18


class LineWriter:
    """Appends lines to a new file, and records where each starts."""

    def __init__(self, path: Path) -> None:
        """Create the file."""
        self._file = path.open("wb", buffering=BLOCK)
        self.path = path
        self.starts = array("Q", [0])

    def add(self, line: bytes) -> None:
        """Append one line, without its newline."""
        self._file.write(line + b"\n")
        self.starts.append(self.starts[-1] + len(line) + 1)

    def close(self) -> "LineFile":
        """Finish, and return the file for reading."""
        self._file.close()
        return LineFile(self.path, self.starts)


class LineFile:
    """A finished file of lines. It keeps no file descriptor open between reads."""

    def __init__(self, path: Path, starts: "array[int]") -> None:
        """Take `starts`, which has one entry more than there are lines: the end."""
        self._path = path
        self._starts = starts

    def blocks(self, lines: int) -> Iterator[bytes]:
        """Yield the first `lines` lines as bytes, in large pieces."""
        left = self._starts[lines]
        with self._path.open("rb") as file:
            while left > 0:
                block = file.read(min(BLOCK, left))
                left -= len(block)
                yield block

    def lines(self, lines: int | None = None) -> Iterator[bytes]:
        """Yield the first `lines` lines (all if None), each with its newline."""
        with self._path.open("rb", buffering=BLOCK) as file:
            for _ in range(len(self._starts) - 1 if lines is None else lines):
                yield file.readline()


class SliceReader:
    """Reads pieces of a file by offset, so that memory stays flat."""

    def __init__(self, path: Path) -> None:
        """Open the file; close it after use."""
        self._descriptor = os.open(path, os.O_RDONLY)

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start`."""
        return os.pread(self._descriptor, size, start)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
