"""Split a JSON file into its rows' texts without reading the whole file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterator
from typing import NamedTuple, NoReturn

from batchdrop.adapters.formats.json.json_shape import MAX_FRAME_BYTES, JsonShape, array_at, refuse_several, scan
from batchdrop.adapters.formats.limits import MAX_LINE_BYTES
from batchdrop.adapters.formats.text.encodings import UTF_8
from batchdrop.errors import UploadRejected
from batchdrop.requests.row import Cursor

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = re.compile(rb'\{[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+\}', re.DOTALL)
_TOKEN = re.compile(_STRING + rb'|["{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb'[^\s",:{}\[\]]++')
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}
_FIX = "Fix it and drop the file again"


class Element(NamedTuple):
    """An element's text as in the file, and its start."""

    text: bytes
    start: Cursor


class _Unbalanced(Exception):  # leaves this module as UploadRejected
    """Brackets that do not match; the argument is the place."""


class Elements:
    """The rows' texts in a file's UTF-8 blocks. After a cursor, the blocks start with its element.

    Elements are not parsed; only their ends are found. `before` and `after` are what stands around a wrapped array,
    with its brackets; `after` is known at the end.
    """

    def __init__(
        self, blocks: Iterator[bytes], start: Cursor, shape: JsonShape, *, filename: str, before: bytes = b""
    ) -> None:
        self.before = before
        self.after = b""
        self._text = _Text(blocks, start, filename)
        self._shape = shape
        self._is_resumed = start.offset > 0

    def __iter__(self) -> Generator[Element, None, None]:
        """Yield the elements up to the end of the file. Raises UploadRejected for brackets that do not match."""
        if self._shape.kind == "values":
            yield from _values(self._text)
            return
        if self._shape.kind == "wrapped" and not self._is_resumed:
            self.before = self._text.move_into(self._shape.path)
        is_resumed = self._is_resumed or self._shape.kind == "wrapped"
        yield from _Array(self._text).elements(starts_inside=is_resumed, is_first=not self._is_resumed)
        if self._shape.kind == "wrapped":
            self.after = b"]" + self._text.rest()
            self._check_frame()
        else:
            _close(self._text)

    def _check_frame(self) -> None:
        found = scan(self.before + self.after)
        if found.end is None or (self.before + self.after)[found.end :].strip():
            self._text.refuse("the object around the array of rows does not end as it should")
        others = [array.path for array in found.arrays if array.has_objects]
        if others and self._shape.is_found:
            refuse_several([self._shape.path, *others], self._text.filename)


class _Text:
    """The part of the file in memory, and the current place in it."""

    def __init__(self, blocks: Iterator[bytes], start: Cursor, filename: str) -> None:
        self._blocks = blocks
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.filename = filename
        self.data = b""
        self.at = 0
        self._base = start.offset  # offset of `data` in the file
        self.rows = start.rows
        self._lines = start.lines

    def cursor(self) -> Cursor:
        """Return the current place."""
        return Cursor(self._base + self.at, self.rows, self._lines)

    def grow(self) -> bool:
        """Read until at least twice as much follows the place as before; return whether anything was read."""
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
        """Skip spaces; return the next byte, or None at the end."""
        while True:
            end = _SPACE.match(self.data, self.at).end()  # type: ignore[union-attr] # it matches everywhere
            self.move_to(end)
            if end < len(self.data):
                return self.data[end]
            if not self.grow():
                return None

    def move_into(self, path: tuple[str, ...]) -> bytes:
        """Move to the first element of the array at `path`; return all before it."""
        while (at := array_at(self.data, path)) is None:
            if len(self.data) > MAX_FRAME_BYTES or not self.grow():
                message = (
                    f"{self.filename}: no array at '{'.'.join(path)}' in the file's first {len(self.data):,} bytes. "
                    "Correct `input: {path: …}` in the recipe: the keys that lead to the array of rows, with dots"
                )
                raise UploadRejected(message)
        before = self.data[:at]
        self.move_to(at)
        return before

    def rest(self) -> bytes:
        """Return all that follows. Raises UploadRejected if that is too much to keep."""
        while self.grow():
            if len(self.data) > MAX_FRAME_BYTES:
                self.refuse(f"more than {MAX_FRAME_BYTES:,} bytes follow the array of rows", "Drop the array alone")
        return self.data[self.at :]

    def move_to(self, end: int) -> None:
        """Move the place forward, and count lines."""
        self._lines += self.data.count(b"\n", self.at, end)
        self.at = end

    def refuse(self, problem: str, remedy: str = _FIX, *, at: int | None = None) -> NoReturn:
        """Raise UploadRejected for the current row."""
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


def _values(text: _Text) -> Generator[Element, None, None]:
    """Yield the values of a file that has one after another."""
    array = _Array(text)
    while (byte := text.next_byte()) is not None:
        cursor = text.cursor()
        yield Element(array.element(byte), cursor)
        text.rows += 1


class _Array:
    def __init__(self, text: _Text) -> None:
        self._text = text

    def elements(self, *, starts_inside: bool, is_first: bool) -> Generator[Element, None, None]:
        """Yield the elements up to the array's end. `is_first`: the array may be empty."""
        text = self._text
        if not starts_inside:
            self._open()
        while True:
            byte = text.next_byte()
            if byte == ord("]") and is_first:
                text.move_to(text.at + 1)
                break
            cursor = text.cursor()
            yield Element(self.element(byte), cursor)
            text.rows += 1
            is_first = False
            if not self._has_next():
                break

    def _open(self) -> None:
        text = self._text
        byte = text.next_byte()
        if byte is None:
            message = f"{text.filename}: the file is empty; a JSON file must be an array of objects"
            raise UploadRejected(message)
        if byte != ord("["):
            message = (
                f"{text.filename}: the file starts with '{_shown(text.data[text.at :])}', but JSON rows are objects: "
                "an array [{…}, {…}], an object that holds one, or one object per line"
            )
            raise UploadRejected(message)
        text.move_to(text.at + 1)

    def element(self, byte: int | None) -> bytes:
        """Return the element at the place, and move past it."""
        text = self._text
        if byte is None:
            text.refuse("the file ends where an element is expected", "The file is truncated; drop the whole file")
        if byte in b",]}:":
            text.refuse(f"'{chr(byte)}' is not the start of an element")
        while (end := self._end(byte)) is None:
            if len(text.data) - text.at > MAX_LINE_BYTES:
                text.refuse(f"this element is longer than {MAX_LINE_BYTES:,} bytes", "Is the file an array of objects?")
            if not text.grow():
                if byte not in b'"{[':
                    end = len(text.data)
                    break
                text.refuse("the file ends in the middle of this element", "Close its quotes and brackets, or, if the "
                            "file is truncated, drop the whole file")  # fmt: skip
        element = text.data[text.at : end]
        text.move_to(end)
        return element

    def _end(self, byte: int) -> int | None:
        """Return the end of the element at the place; None if that is not in memory yet."""
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
            self._text.refuse(f"'{chr(data[where])}' closes a bracket that is not open", at=where)

    def _has_next(self) -> bool:
        """Skip the separator of two elements; return False at the array's end."""
        text = self._text
        byte = text.next_byte()
        if byte is None:
            text.refuse("the file ends before the array ends", "The file is truncated; drop the whole file")
        if byte not in b",]":
            text.refuse(f"expected a comma or the array's end, found '{_shown(text.data[text.at :])}'")
        text.move_to(text.at + 1)
        return byte == ord(",")


def _close(text: _Text) -> None:
    if text.next_byte() is not None:
        text.refuse(
            f"found '{_shown(text.data[text.at :])}' after the array's end",
            "If each line is one object, drop it as .jsonl",
        )


def _balanced_end(data: bytes, at: int) -> int | None:
    expected: list[int] = []
    for match in _TOKEN.finditer(data, at):
        token = data[match.start()]
        if token == ord('"'):
            if match.end() == match.start() + 1:
                return None  # the string continues beyond what is in memory
        elif token in _CLOSING:
            expected.append(_CLOSING[token])
        elif expected.pop() != token:
            raise _Unbalanced(match.start())
        if not expected:
            return match.end()
    return None


def _shown(data: bytes) -> str:
    return data[:20].decode(errors="replace")
