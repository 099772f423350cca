"""Bytes to lines, with the place of each: the ground under every text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from batchdrop.domain.limits import MAX_LINE_BYTES
from batchdrop.errors import UploadRejected

BOM = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class NotUtf8(Exception):  # the readers catch it, add the row, and raise UploadRejected
    """Bytes that are not UTF-8; the message says where and what to do."""


class Line(NamedTuple):
    """A line with its line end. `offset` is the file's bytes before it."""

    offset: int
    text: str


def split_lines(blocks: Iterable[bytes], *, offset: int, filename: str) -> Iterator[Line]:
    """Cut bytes into lines at newlines, and decode each as UTF-8.

    `offset` is where the first block stands in the file. Raises NotUtf8 with the byte, and UploadRejected for what
    cannot be text with a record a line.
    """
    rest = b""
    for block in blocks:
        if offset == 0 and not rest:
            _refuse_utf16(block, filename)
        pieces = (rest + block).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            raw = piece + b"\n"
            yield Line(offset, _decode(raw, offset))
            offset += len(raw)
        if len(rest) > MAX_LINE_BYTES:
            message = (
                f"{filename}: the line that starts at byte {offset:,} is longer than {MAX_LINE_BYTES:,} bytes; "
                "is this a text file with one record a line?"
            )
            raise UploadRejected(message)
    if rest:
        yield Line(offset, _decode(rest, offset))


def without_line_end(text: str) -> str:
    r"""Return a line without its line end: `\n`, `\r\n`, and what broken exports write, such as `\r\r\n`."""
    return text.rstrip("\r\n")


def _decode(raw: bytes, offset: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        message = (
            f"byte {offset + error.start:,} (0x{raw[error.start]:02x}) is not UTF-8. "
            "Save the file as UTF-8 and drop it again"
        )
        raise NotUtf8(message) from error


def _refuse_utf16(block: bytes, filename: str) -> None:
    if block.startswith(_UTF16_MARKS):
        message = f"{filename}: the file is UTF-16, not UTF-8. Save it as UTF-8 and drop it again"
        raise UploadRejected(message)
