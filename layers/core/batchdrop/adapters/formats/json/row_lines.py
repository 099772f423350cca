"""Find the rows of formats with one row per line."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from itertools import compress, count
from typing import NamedTuple

from batchdrop.adapters.formats.text.beginning import TextFile
from batchdrop.adapters.formats.text.encodings import BOM, Encoding, encode
from batchdrop.adapters.formats.text.lines import Lines, Undecodable, split_lines
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source
from batchdrop.requests.row import Cursor


class RowLines(NamedTuple):
    """Lines that are rows: texts, places, and bytes if encoding the text would give others."""

    raws: list[str]
    starts: list[Cursor]
    exacts: list[bytes | None]


def row_lines(
    file: TextFile, source: Source, start: Cursor, *, trimmed: Callable[[str], str]
) -> Generator[RowLines, None, None]:
    """Return the lines after `start` whose `trimmed` text is not empty. `file.encoding` is known afterwards.

    Raises UploadRejected if the file has another encoding.
    """
    return _row_lines(file, file.blocks(source, start), start, trimmed)


def _row_lines(
    file: TextFile, blocks: Generator[bytes, None, None], start: Cursor, trimmed: Callable[[str], str]
) -> Generator[RowLines, None, None]:
    rows, line_count = start.rows, start.lines
    pieces = split_lines(blocks, offset=start.offset, filename=file.filename, encoding=file.encoding)
    with closing(blocks):
        while True:
            try:
                lines = next(pieces, None)
            except Undecodable as problem:
                message = f"{file.filename} row {rows + 1} (line {line_count + 1}): {problem}"
                raise UploadRejected(message) from problem
            if lines is None:
                return
            found = _rows_of(lines, rows, line_count, trimmed, file.encoding)
            rows += len(found.raws)
            line_count += len(lines.texts)
            yield found


def _rows_of(lines: Lines, rows: int, line_count: int, trimmed: Callable[[str], str], encoding: Encoding) -> RowLines:
    offsets, texts, exacts = lines
    if not offsets[0]:
        texts[0] = texts[0].removeprefix(BOM)
    raws = list(map(trimmed, texts))
    starts = map(Cursor, compress(offsets, raws), count(rows), compress(count(line_count), raws))
    if any(exacts):
        each = zip(texts, exacts, raws, strict=True)
        exacts = [_exact(text, exact, raw, encoding) if raw and exact else None for text, exact, raw in each]
    return RowLines(list(filter(None, raws)), list(starts), list(compress(exacts, raws)))


def _exact(text: str, exact: bytes, raw: str, encoding: Encoding) -> bytes:
    """Return the bytes of the row's part of a line."""
    before, _, after = text.partition(raw)
    return exact[len(encode(before, encoding)) : len(exact) - len(encode(after, encoding))]
