"""A workbook's shared strings, on disk so that memory does not grow with them."""

from __future__ import annotations

import os
import re
import tempfile
from array import array
from collections.abc import Callable
from typing import IO

from batchdrop.adapters.formats.limits import MAX_CELL_CHARS
from batchdrop.adapters.formats.xlsx.xml import Attributes, BadXml, parse_all

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_OFFSET_BYTES = 8
_KEPT = 2_048  # texts in the cache
_AHEAD = 64  # texts to read at once
_AHEAD_BYTES = 256 * 1024  # of one read; the cache of 2,048 texts takes at most 8 MB


def unescaped(text: str) -> str:
    """Return a text with escapes such as `_x000D_` decoded; they stand for characters that XML cannot hold."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class TextReader:
    """Collects the text of an element from its runs (`t`), without phonetic guides (`rPh`)."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._chars = 0
        self._phonetic = 0
        self._in_text = False

    def start(self, tag: str) -> None:
        """Handle the start of an inner element."""
        if tag == "rPh":
            self._phonetic += 1
        self._in_text = tag == "t" and not self._phonetic

    def end(self, tag: str) -> None:
        """Handle the end of an inner element."""
        if tag == "rPh":
            self._phonetic -= 1
        self._in_text = False

    def text(self, piece: str) -> None:
        """Add character data. Raises BadXml for more than any cell can hold."""
        if self._in_text:
            self._pieces.append(piece)
            self._chars += len(piece)
            if self._chars > MAX_CELL_CHARS:
                message = f"a cell has more than {MAX_CELL_CHARS:,} characters"
                raise BadXml(message)

    def take(self) -> str:
        """Return the text, and start again."""
        text = unescaped("".join(self._pieces))
        self._pieces.clear()
        self._chars = 0
        return text


class SharedStrings:
    """The texts by number, in a temporary file that is deleted with this object. Raises BadXml."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._texts = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._offsets = tempfile.TemporaryFile()  # noqa: SIM115 - likewise
        self._kept: dict[int, str] = {}
        self._count = 0
        if stream:
            self._spool(stream)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> str:
        if (kept := self._kept.get(number)) is not None:
            return kept
        if not 0 <= number < self._count:
            message = f"a cell refers to text {number:,} of {self._count:,}"
            raise BadXml(message)
        return self._read_from(number)

    def _read_from(self, number: int) -> str:
        """Return a text, and cache the ones after it: sheets use most texts in order."""
        offsets = array("Q", os.pread(self._offsets.fileno(), (_AHEAD + 1) * _OFFSET_BYTES, number * _OFFSET_BYTES))
        first = offsets[0]
        near = [offset for offset in offsets[1:] if offset - first <= _AHEAD_BYTES] or [offsets[1]]
        block = os.pread(self._texts.fileno(), near[-1] - first, first)
        start = 0
        texts = []
        for offset in near:
            texts.append(block[start : offset - first].decode())
            start = offset - first
        if len(block) <= _AHEAD_BYTES:
            self._keep_read(number, texts)
        return texts[0]

    def _keep_read(self, number: int, texts: list[str]) -> None:
        while len(self._kept) + len(texts) > _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept.update(enumerate(texts, start=number))

    def close(self) -> None:
        """Delete the temporary file."""
        self._texts.close()
        self._offsets.close()

    def _spool(self, stream: IO[bytes]) -> None:
        reader = TextReader()
        end_of = self._keep(reader)

        def start(tag: str, _attributes: Attributes) -> None:
            reader.start(tag)

        def end(tag: str) -> None:
            reader.end(tag)
            if tag == "si":
                end_of()

        self._offsets.write(bytes(_OFFSET_BYTES))
        parse_all(stream, start=start, end=end, text=reader.text)
        self._texts.flush()
        self._offsets.flush()

    def _keep(self, reader: TextReader) -> Callable[[], None]:
        length = 0

        def keep() -> None:
            nonlocal length
            length += self._texts.write(reader.take().encode())
            self._offsets.write(array("Q", [length]).tobytes())
            self._count += 1

        return keep
