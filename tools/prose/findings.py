"""What a check found, and the text that it reads."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One sentence to rewrite: where it is, and what to write instead."""

    path: str
    line: int
    message: str


class Prose(NamedTuple):
    """The prose of one file, and the number in the file of each of its lines."""

    path: str
    text: str
    numbers: list[int]

    def line_of(self, offset: int) -> int:
        """Return the number of the file's line that has this offset of the prose."""
        return self.numbers[self.text.count("\n", 0, offset)]


def prose_of(path: str, text: str) -> Prose:
    """Return the prose of a text whose other characters are blanks. Of blank lines in a row, one is kept."""
    kept: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.rstrip()
        if stripped or (kept and kept[-1][1]):
            kept.append((number, stripped))
    return Prose(path, "\n".join(line for _, line in kept), [number for number, _ in kept])
