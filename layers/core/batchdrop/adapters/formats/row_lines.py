"""Formats with a row a line: the lines that are rows, with their places."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import NamedTuple

from batchdrop.adapters.formats.beginning import TextFile
from batchdrop.adapters.formats.encodings import BOM, Encoding, encode
from batchdrop.adapters.formats.lines import Line, Undecodable, split_lines
from batchdrop.domain.row import Cursor
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source


class RowLine(NamedTuple):
    """A line that is a row: its text, its place, and its bytes where encoding the text would give others."""

    raw: str
    start: Cursor
    exact: bytes | None


def row_lines(
    file: TextFile, source: Source, start: Cursor, *, trimmed: Callable[[str], str]
) -> Generator[RowLine, None, None]:
    """Return the lines after `start` whose `trimmed` text is not empty. `file.encoding` is known when this returns.

    Raises UploadRejected where the file is not in its encoding.
    """
    return _row_lines(file, file.blocks(source, start), start, trimmed)


def _row_lines(
    file: TextFile, blocks: Generator[bytes, None, None], start: Cursor, trimmed: Callable[[str], str]
) -> Generator[RowLine, None, None]:
    number, line_number = start.rows, start.lines
    lines = split_lines(blocks, offset=start.offset, filename=file.filename, encoding=file.encoding)
    with closing(blocks):
        while True:
            try:
                line = next(lines, None)
            except Undecodable as problem:
                message = f"{file.filename} row {number + 1} (line {line_number + 1}): {problem}"
                raise UploadRejected(message) from problem
            if line is None:
                return
            raw = trimmed(line.text if line.offset else line.text.removeprefix(BOM))
            if raw:
                exact = None if line.exact is None else _exact(line, line.exact, raw, file.encoding)
                yield RowLine(raw, Cursor(line.offset, number, line_number), exact)
                number += 1
            line_number += 1


def _exact(line: Line, exact: bytes, raw: str, encoding: Encoding) -> bytes:
    """Return the bytes of the part of a line that is the row."""
    before, _, after = line.text.partition(raw)
    return exact[len(encode(before, encoding)) : len(exact) - len(encode(after, encoding))]
