"""The encoding and header of a text file, found at its start."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

import msgspec

from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding, encoding_named, look
from batchdrop.ports import Source
from batchdrop.requests.row import Cursor


class Beginning(msgspec.Struct, frozen=True, omit_defaults=True):
    r"""A file's encoding and, for delimited files, its layout; stored as JSON in the manifest.

    `newline` is "\r" for a file that has no other line ends, and `line_end` is the one of its first line. `declared`
    is the line `sep=;`, `skipped` the bytes of the lines between that and the header, and `text` is the header itself,
    empty without one. All include their line ends; the first of them includes the byte order mark, but `skipped` has
    none. `exact` holds the header's bytes if encoding it would give others. `spaced`: spaces before a cell do not
    belong to it. `cells` counts a header's cells, or those of the first row. `notes` says what was found, for people.
    """

    encoding: str = UTF_8.name
    marked: bool = False
    delimiter: str = ","
    declared: str = ""
    text: str = ""
    exact: bytes | None = None
    newline: str = "\n"
    line_end: str = ""
    skipped: bytes = b""
    spaced: bool = False
    cells: int = 0
    notes: list[str] = []


def kept(beginning: Beginning) -> str:
    """Return a beginning as JSON for the manifest."""
    return msgspec.json.encode(beginning).decode()


def read_again(header: str) -> Beginning | None:
    """Return the beginning from `kept`'s JSON; None for a file that was not read yet."""
    return msgspec.json.decode(header, type=Beginning) if header else None


class TextFile:
    """A text file whose encoding is detected once, by the first reading. `named` is the recipe's encoding."""

    def __init__(self, filename: str, named: str | None, header: str) -> None:
        self.filename = filename
        self.named = named
        beginning = read_again(header)
        self._encoding = None if beginning is None else _encoding_of(beginning)

    @property
    def encoding(self) -> Encoding:
        """Return the encoding; before the first reading, the recipe's."""
        return self._encoding or (encoding_named(self.named) if self.named else UTF_8)

    def blocks(self, source: Source, start: Cursor) -> Generator[bytes, None, None]:
        """Return the file's blocks from `start`. The encoding is known when this returns."""
        blocks = source.blocks(start.offset)
        if start.offset or self._encoding is not None:
            return blocks
        self._encoding, again = look(blocks, self.named, filename=self.filename)
        return _closing_with(again, blocks)


class InTextFile:
    """Base of the text formats without a header line. They keep only the encoding."""

    _file: TextFile
    sidecar = None  # a row's text is exact

    @property
    def notes(self) -> list[str]:
        """Return nothing: all is plain from the name."""
        return []

    @property
    def header(self) -> str:
        """Return the file's encoding as JSON for the manifest."""
        encoding = self.encoding
        return kept(Beginning(encoding.name, encoding.marked, newline=encoding.line_end))

    @property
    def encoding(self) -> Encoding:
        """Return the file's encoding."""
        return self._file.encoding


def _encoding_of(beginning: Beginning) -> Encoding:
    newline = beginning.newline.encode(beginning.encoding)
    return Encoding(beginning.encoding, newline, marked=beginning.marked)


def _closing_with(again: Iterator[bytes], blocks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(blocks):
        yield from again
