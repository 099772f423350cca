"""Read JSON: one array of objects. Each element keeps its own text."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from typing import Any

from batchdrop.adapters.formats.json.json_elements import Element, elements
from batchdrop.adapters.formats.json.jsonl_input import ObjectRows
from batchdrop.adapters.formats.text.beginning import InTextFile, TextFile
from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source
from batchdrop.requests.chunking import chunks
from batchdrop.requests.row import Cursor, Row, raw_size


class JsonInput(InTextFile):
    """Reads one array of JSON objects. `reserved` are the names of the output's new columns.

    A file in another encoding is read as UTF-8 text: offsets count bytes of that, and resuming at an offset decodes the
    text before it again.
    """

    name = "json"
    columns: list[str] | None = None

    def __init__(
        self, filename: str, reserved: Collection[str], header: str = "", *, encoding: str | None = None
    ) -> None:
        self._filename = filename
        self._file = TextFile(filename, encoding, header)
        self._objects = ObjectRows(reserved, what="element")

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read one row per element. Raises UploadRejected if the file is not one array, or has another encoding."""
        blocks = self._utf8_blocks(source, start)
        found = elements(_without_mark(blocks, start), start, filename=self._filename)
        return chunks(self._rows(found, blocks), raw_size)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's fields; None if it is not an object."""
        return self._objects.cells(raw)

    def _rows(
        self, found: Generator[Element, None, None], blocks: Generator[bytes, None, None]
    ) -> Generator[Row, None, None]:
        with closing(blocks):
            for text, start in found:
                yield self._objects.row(text.decode(), start)

    def _utf8_blocks(self, source: Source, start: Cursor) -> Generator[bytes, None, None]:
        if self.encoding.name == UTF_8.name and start.offset:
            return source.blocks(start.offset)
        blocks = self._file.blocks(source, Cursor())
        if self.encoding.name == UTF_8.name:
            return blocks
        return _transcoded(blocks, start.offset, self.encoding, self._filename)


def _transcoded(
    blocks: Generator[bytes, None, None], start: int, encoding: Encoding, filename: str
) -> Generator[bytes, None, None]:
    """Yield the blocks in UTF-8, starting at an offset in that."""
    decoder = codecs.getincrementaldecoder(encoding.name)()
    read = end = 0
    with closing(blocks):
        for block in _and_end(blocks):
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block or b"", final=block is None).encode()
            except UnicodeDecodeError as error:
                message = (
                    f"{filename}: byte {read - held + error.start:,} is not {encoding.name}. Fix it, or correct "
                    "`input: {encoding: …}` in the recipe, and drop the file again"
                )
                raise UploadRejected(message) from error
            read += len(block or b"")
            end += len(text)
            if end > start:
                yield text[max(0, start - end + len(text)) :]


def _and_end(blocks: Iterator[bytes]) -> Iterator[bytes | None]:
    yield from blocks
    yield None


def _without_mark(blocks: Iterator[bytes], start: Cursor) -> Iterator[bytes]:
    """Yield the blocks, with spaces in place of a byte order mark at the file's start."""
    first = b""
    if not start.offset:
        for block in blocks:
            first += block
            if len(first) >= len(codecs.BOM_UTF8):
                break
        if first.startswith(codecs.BOM_UTF8):
            first = b" " * len(codecs.BOM_UTF8) + first[len(codecs.BOM_UTF8) :]
    if first:
        yield first
    yield from blocks
