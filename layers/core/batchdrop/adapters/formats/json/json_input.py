"""Read JSON: an array of objects, an object that holds one, or objects one after another. Each keeps its own text."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import msgspec

from batchdrop.adapters.formats.json.json_elements import Elements
from batchdrop.adapters.formats.json.json_shape import JsonShape, shape_of
from batchdrop.adapters.formats.json.jsonl_input import ObjectRows
from batchdrop.adapters.formats.text.beginning import Beginning, InTextFile, TextFile
from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source
from batchdrop.requests.chunking import chunks
from batchdrop.requests.row import Cursor, Row, raw_size

LOOKED_AT = 1 << 18  # bytes in which to find where the rows are
ARRAY = ("[\n", ",\n", "\n]\n")


class JsonBeginning(Beginning, frozen=True, omit_defaults=True):
    """A JSON file's encoding, where its rows are, and what stands around them."""

    shape: JsonShape = JsonShape()
    before: str = ""
    after: str = ""


class JsonInput(InTextFile):
    """Reads JSON objects. `reserved` are the names of the output's new columns; `path` is the recipe's.

    A file in another encoding is read as UTF-8 text: offsets count bytes of that, and resuming at an offset decodes the
    text before it again.
    """

    name = "json"
    columns: list[str] | None = None

    def __init__(
        self,
        filename: str,
        reserved: Collection[str],
        header: str = "",
        *,
        encoding: str | None = None,
        path: str | None = None,
    ) -> None:
        self._filename = filename
        self._path = path
        self._file = TextFile(filename, encoding, header)
        self._objects = ObjectRows(reserved, what="element")
        self._beginning = msgspec.json.decode(header, type=JsonBeginning) if header else None
        self._elements: Elements | None = None

    @property
    def header(self) -> str:
        """Return the encoding and the frame as JSON for the manifest; `after` is known once all rows were read."""
        beginning = self._beginning or JsonBeginning()
        after = self._elements.after.decode() if self._elements else ""
        found = self._elements.before.decode() if self._elements else ""
        changed = msgspec.structs.replace(
            beginning,
            encoding=self.encoding.name,
            marked=self.encoding.marked,
            before=found or beginning.before,
            after=after or beginning.after,
        )
        return msgspec.json.encode(changed).decode()

    @property
    def notes(self) -> list[str]:
        """Return where the rows are, if not in one array."""
        shape = self.shape
        if shape.kind == "values":
            return ["the rows are objects one after another"]
        return [f"the rows are the array at '{'.'.join(shape.path)}'"] if shape.is_found else []

    @property
    def shape(self) -> JsonShape:
        """Return where the rows are."""
        return self._beginning.shape if self._beginning else JsonShape()

    @property
    def frame(self) -> tuple[str, str, str]:
        """Return what stands before, between and after the rows of an output of the same form."""
        match self.shape.kind, self._beginning:
            case "values", _:
                return "", "\n", "\n"
            case "wrapped", JsonBeginning() as found:
                return f"{found.before}\n", ",\n", f"\n{found.after}"
            case _:
                return ARRAY

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read one row per object. Raises UploadRejected for other JSON, and for a wrong encoding."""
        blocks = self._utf8_blocks(source, start)
        text = _without_mark(blocks, start)
        if self._beginning is None:
            text = self._begin(text)
        assert self._beginning is not None
        before = self._beginning.before.encode()
        self._elements = Elements(text, start, self.shape, filename=self._filename, before=before)
        return chunks(self._rows(self._elements, blocks), raw_size)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's fields; None if it is not an object."""
        return self._objects.cells(raw)

    def _begin(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Find the file's shape; return its blocks again."""
        first, is_whole = b"", True
        for block in blocks:
            first += block
            if len(first) >= LOOKED_AT:
                is_whole = False
                break
        shape = shape_of(first[:LOOKED_AT], is_whole=is_whole, path=self._path, filename=self._filename)
        self._beginning = JsonBeginning(shape=shape)
        return chain((first,), blocks)

    def _rows(self, found: Elements, blocks: Generator[bytes, None, None]) -> Generator[Row, None, None]:
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
