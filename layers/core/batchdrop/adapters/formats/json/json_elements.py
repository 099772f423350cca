"""The elements of one JSON array, each as its own text, found without reading the whole file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterator
from typing import NamedTuple, NoReturn

from batchdrop.adapters.formats.text.encodings import UTF_8
from batchdrop.errors import UploadRejected
from batchdrop.limits import MAX_LINE_BYTES
from batchdrop.requests.row import Cursor

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = re.compile(rb'\{[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+\}', re.DOTALL)
_TOKEN = re.compile(_STRING + rb'|["{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb'[^\s",:{}\[\]]++')
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}
_MEND = "Mend it and drop the file again"


class Element(NamedTuple):
    """An element's text as the file has it, and where it starts."""

    text: bytes
    start: Cursor


class _Unbalanced(Exception):  # leaves this module as UploadRejected
    """Brackets that do not pair; the argument is where."""


def elements(blocks: Iterator[bytes], start: Cursor, *, filename: str) -> Generator[Element, None, None]:
    """Yield the elements of the array that UTF-8 blocks hold; from a cursor on, blocks begin with its element.

    What an element is made of is not checked, only where it ends. Raises UploadRejected for what is not one array of
    at least its elements' brackets, to the end of the file.
    """
    return _Array(_Text(blocks, start, filename)).elements(starts_inside=start.offset > 0)


class _Text:
    """The part of the file that is in memory, and the place in it."""

    def __init__(self, blocks: Iterator[bytes], start: Cursor, filename: str) -> None:
        self._blocks = blocks
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.filename = filename
        self.data = b""
        self.at = 0
        self._base = start.offset  # of `data`, in the file
        self.rows = start.rows
        self._lines = start.lines

    def cursor(self) -> Cursor:
        """Return the place."""
        return Cursor(self._base + self.at, self.rows, self._lines)

    def grow(self) -> bool:
        """Read on, so that at least twice as much follows the place as before; tell whether anything came."""
        rest = self.data[self.at :]
        pieces, size = [rest], len(rest)
        while size <= 2 * len(rest) and (block := next(self._blocks, None)) is not None:
            self._check(block, self._base + self.at + size)
            pieces.append(block)
            size += len(block)
        self._base += self.at
        self.data, self.at = b"".join(pieces), 0
        return size > len(rest)

    def next_byte(self) -> int | None:
        """Move over spaces; return the byte that follows them, None at the end."""
        while True:
            end = _SPACE.match(self.data, self.at).end()  # type: ignore[union-attr] # it matches everywhere
            self.move_to(end)
            if end < len(self.data):
                return self.data[end]
            if not self.grow():
                return None

    def move_to(self, end: int) -> None:
        """Move the place forward, counting lines."""
        self._lines += self.data.count(b"\n", self.at, end)
        self.at = end

    def refuse(self, problem: str, remedy: str = _MEND, *, at: int | None = None) -> NoReturn:
        """Raise UploadRejected for the row in question."""
        place = self._base + (self.at if at is None else at)
        message = f"{self.filename} row {self.rows + 1} (line {self._lines + 1}): byte {place:,}: {problem}. {remedy}"
        raise UploadRejected(message)

    def _check(self, block: bytes, offset: int) -> None:
        held = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(block)
        except UnicodeDecodeError as error:
            from batchdrop.adapters.formats.text.guesses import advice

            place, byte = offset - held + error.start, error.object[error.start]
            message = (
                f"{self.filename} after row {self.rows}: byte {place:,} (0x{byte:02x}) is not UTF-8. "
                f"{advice(block, max(0, error.start - held), UTF_8)} and drop the file again"
            )
            raise UploadRejected(message) from error


class _Array:
    def __init__(self, text: _Text) -> None:
        self._text = text

    def elements(self, *, starts_inside: bool) -> Generator[Element, None, None]:
        """Yield the elements to the end of the file."""
        text = self._text
        is_first = not starts_inside and self._open()
        while True:
            byte = text.next_byte()
            if byte == ord("]") and is_first:
                text.move_to(text.at + 1)
                break
            cursor = text.cursor()
            yield Element(self._element(byte), cursor)
            text.rows += 1
            is_first = False
            if not self._goes_on():
                break
        self._close()

    def _open(self) -> bool:
        text = self._text
        byte = text.next_byte()
        if byte is None:
            message = f"{text.filename}: the file is empty; a JSON file is an array of objects"
            raise UploadRejected(message)
        if byte != ord("["):
            what = "one object" if byte == ord("{") else "not an array"
            message = (
                f"{text.filename}: the file is {what}, where an array of objects is needed: [{{…}}, {{…}}]. If it has "
                "an object a line, drop it as .jsonl, or set `input: {format: jsonl}` in the recipe"
            )
            raise UploadRejected(message)
        text.move_to(text.at + 1)
        return True

    def _element(self, byte: int | None) -> bytes:
        """Return the element that starts at the place, and move behind it."""
        text = self._text
        if byte is None:
            text.refuse("the file ends where an element should follow", "The array has no end; drop the whole file")
        if byte in b",]}:":
            text.refuse(f"'{chr(byte)}' stands where an element should")
        while (end := self._end(byte)) is None:
            if len(text.data) - text.at > MAX_LINE_BYTES:
                text.refuse(f"this element is longer than {MAX_LINE_BYTES:,} bytes", "Is this an array of objects?")
            if not text.grow():
                if byte not in b'"{[':
                    end = len(text.data)
                    break
                text.refuse("the file ends in the middle of this element", "A quote or bracket is not closed, or the "
                            "file was cut off; drop the whole file")  # fmt: skip
        element = text.data[text.at : end]
        text.move_to(end)
        return element

    def _end(self, byte: int) -> int | None:
        """Return where the element at the place ends; None if that is not in memory yet."""
        data, at = self._text.data, self._text.at
        if byte == ord("{") and (flat := _FLAT.match(data, at)):
            return flat.end()
        if byte not in b'"{[':
            scalar = _SCALAR.match(data, at)
            end = scalar.end() if scalar else at + 1
            return end if end < len(data) else None
        try:
            return _balanced_end(data, at)
        except _Unbalanced as error:
            [where] = error.args
            self._text.refuse(f"'{chr(data[where])}' closes what is not open", at=where)

    def _goes_on(self) -> bool:
        """Move over what separates two elements; False where the array ends."""
        text = self._text
        byte = text.next_byte()
        if byte is None:
            text.refuse("the file ends before the array does", "Its end is missing; drop the whole file")
        if byte not in b",]":
            text.refuse(f"'{_shown(text.data[text.at :])}' stands where a comma or the array's end should")
        text.move_to(text.at + 1)
        return byte == ord(",")

    def _close(self) -> None:
        text = self._text
        if text.next_byte() is not None:
            remedy = "If each line is a file of its own, drop it as .jsonl"
            text.refuse(f"after the array's end stands '{_shown(text.data[text.at :])}'", remedy)


def _balanced_end(data: bytes, at: int) -> int | None:
    expected: list[int] = []
    for match in _TOKEN.finditer(data, at):
        token = data[match.start()]
        if token == ord('"'):
            if match.end() == match.start() + 1:
                return None  # the string goes on behind what is in memory
        elif token in _CLOSING:
            expected.append(_CLOSING[token])
        elif expected.pop() != token:
            raise _Unbalanced(match.start())
        if not expected:
            return match.end()
    return None


def _shown(data: bytes) -> str:
    return data[:20].decode(errors="replace")
