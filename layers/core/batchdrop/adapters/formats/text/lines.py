"""Split bytes into lines with their places, for all text formats."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from batchdrop.adapters.formats.limits import MAX_LINE_BYTES
from batchdrop.adapters.formats.text.encodings import UTF_8, Encoding
from batchdrop.errors import UploadRejected
from batchdrop.requests.chunking import CHUNK_BYTES

_ESCAPE = b"\x1b"
_RETURNS, _BYTE_RETURNS = re.compile(r"[^\r]*\r|[^\r]+"), re.compile(rb"[^\r]*\r|[^\r]+")
_ISO2022 = (b"\x1b$B", b"\x1b$@")  # Japanese mail's escapes, which other decoders take for ASCII


class Undecodable(Exception):  # the readers add the row and raise UploadRejected
    """Bytes that are not in the expected encoding; the message has the place and the fix."""


class Lines(NamedTuple):
    """Consecutive lines, at least one, with their line ends. `offsets` are the file's bytes before each line.

    `exacts` are the bytes of lines for which encoding the text would give others.
    """

    offsets: list[int]
    texts: list[str]
    exacts: list[bytes | None]

    def after(self, count: int) -> list[Lines]:
        """Return the lines after the first `count` as one Lines; an empty list if there are none."""
        return [Lines._make(own[count:] for own in self)] if count < len(self.texts) else []


class _Line(NamedTuple):
    offset: int
    text: str
    exact: bytes | None


class _Piece(NamedTuple):
    """Whole lines: the bytes from `start` to `stop` of a part that begins at the file's byte `offset`."""

    part: bytes
    offset: int
    start: int
    stop: int

    @property
    def body(self) -> bytes:
        return self.part[self.start : self.stop]


def split_lines(blocks: Iterable[bytes], *, offset: int, filename: str, encoding: Encoding) -> Iterator[Lines]:
    """Cut bytes into lines at newlines and decode them, many lines at a time.

    `offset` is the place of the first block. Raises Undecodable with the byte, and UploadRejected for a line
    that is too long; both after the lines before it.
    """
    rest = b""
    for block in blocks:
        part = rest + block
        end = _last_newline(part, encoding)
        yield from _decoded_lines(part, offset, end, encoding)
        offset += end
        rest = part[end:]
        if len(rest) > MAX_LINE_BYTES:
            message = (
                f"{filename}: the line that starts at byte {offset:,} is longer than {MAX_LINE_BYTES:,} bytes; "
                "check that it is a text file with one record per line"
            )
            raise UploadRejected(message)
    yield from _decoded_lines(rest, offset, len(rest), encoding)


def without_line_end(text: str) -> str:
    r"""Return a line without its line end: `\n`, `\r\n`, and the `\r\r\n` of broken exports."""
    return text.rstrip("\r\n")


def _last_newline(part: bytes, encoding: Encoding) -> int:
    """Return the place after the last newline; 0 if there is none."""
    size, unit = len(encoding.newline), encoding.unit
    at = part.rfind(encoding.newline)
    while at % unit and at > 0:
        at = part.rfind(encoding.newline, 0, at + size - 1)
    return at + size if at >= 0 and not at % unit else 0


def _newline_from(part: bytes, start: int, encoding: Encoding) -> int:
    """Return the place after the next newline from `start` on; the end if there is none."""
    newline, unit = encoding.newline, encoding.unit
    at = part.find(newline, start)
    while at >= 0 and at % unit:
        at = part.find(newline, at + 1)
    return at + unit if at >= 0 else len(part)


def _decoded_lines(part: bytes, offset: int, end: int, encoding: Encoding) -> Iterator[Lines]:
    """Decode the lines of a part up to `end`, many at a time."""
    start = 0
    while start < end:
        stop = min(end, _newline_from(part, start + CHUNK_BYTES - len(encoding.newline), encoding))
        yield from _decoded(_Piece(part, offset, start, stop), encoding)
        start = stop


def _decoded(piece: _Piece, encoding: Encoding) -> Iterator[Lines]:
    """Decode lines in one call, several times as fast as one by one."""
    decode = _utf_8 if encoding.name == "utf-8" else _whole
    lines = None if encoding.is_stateful else decode(piece.body, piece.offset + piece.start, encoding)
    return _together(_alone(piece, encoding)) if lines is None else iter((lines,))


def _utf_8(body: bytes, offset: int, encoding: Encoding) -> Lines | None:
    if _ESCAPE in body and any(escape in body for escape in _ISO2022):  # looking for one byte first is 60 times as fast
        return None
    raws = _byte_lines(body, encoding)
    try:
        texts = list(map(bytes.decode, raws))
    except UnicodeDecodeError:
        return None
    return _lines(offset, texts, map(len, raws))


def _whole(body: bytes, offset: int, encoding: Encoding) -> Lines | None:
    """Decode lines whose text encodes to the same bytes; None if one does not."""
    try:
        text = body.decode(encoding.name)
    except UnicodeDecodeError:
        return None
    if not encoding.is_unicode and text.encode(encoding.name, "replace") != body:
        return None
    texts = list(io.StringIO(text, newline="\n")) if encoding.line_end == "\n" else _RETURNS.findall(text)
    if encoding.unit > 1:
        return _lines(offset, texts, (len(line.encode(encoding.name)) for line in texts))
    return _lines(offset, texts, map(len, texts if len(text) == len(body) else _byte_lines(body, encoding)))


def _byte_lines(body: bytes, encoding: Encoding) -> list[bytes]:
    return list(io.BytesIO(body)) if encoding.line_end == "\n" else _BYTE_RETURNS.findall(body)


def _lines(offset: int, texts: list[str], lengths: Iterable[int]) -> Lines:
    offsets = list(accumulate(lengths, initial=offset))
    del offsets[len(texts) :]
    return Lines(offsets, texts, [None] * len(texts))


def _together(lines: Iterator[_Line]) -> Iterator[Lines]:
    found: list[_Line] = []
    try:
        found.extend(lines)  # keeps the lines before an error
    finally:
        if found:
            yield Lines._make(map(list, zip(*found, strict=True)))


def _alone(piece: _Piece, encoding: Encoding) -> Iterator[_Line]:
    at = piece.start
    while at < piece.stop:
        end, offset = _newline_from(piece.part, at, encoding), piece.offset + at
        raw = piece.part[at:end]
        try:
            text = _line_text(raw, encoding)
        except UnicodeDecodeError as error:
            message = f"byte {offset + error.start:,} ({_shown(error)}) is not {_title(encoding)}. "
            raise Undecodable(message + _advice(piece.part, at, encoding)) from error
        _refuse_iso2022(raw, offset, encoding)
        is_exact = encoding.is_unicode or text.encode(encoding.name, "replace") == raw
        yield _Line(offset, text, None if is_exact else raw)
        at = end


def _line_text(raw: bytes, encoding: Encoding) -> str:
    text = raw.decode(encoding.name)
    if encoding.is_stateful and not (raw + b"a").decode(encoding.name).endswith("a"):
        raise UnicodeDecodeError(encoding.name, raw, len(raw) - 1, len(raw), "the line does not return to ASCII")
    return text


def _refuse_iso2022(raw: bytes, offset: int, encoding: Encoding) -> None:
    """Raise Undecodable for Japanese mail's encoding, which UTF-8 takes for ASCII."""
    found = [at for escape in _ISO2022 if (at := raw.find(escape)) >= 0]
    if found and encoding.name == UTF_8.name:
        message = (
            f"byte {offset + min(found):,} starts an ISO-2022-JP escape sequence. "
            "Set `input: {encoding: iso2022_jp}` in the recipe, or save the file as UTF-8 and drop it again"
        )
        raise Undecodable(message)


def _shown(error: UnicodeDecodeError) -> str:
    return f"0x{error.object[error.start]:02x}" if error.start < len(error.object) else "the end"


def _title(encoding: Encoding) -> str:
    return encoding.name.upper() if encoding.is_unicode else encoding.name


def _advice(part: bytes, at: int, encoding: Encoding) -> str:
    from batchdrop.adapters.formats.text.guesses import advice

    return f"{advice(part, at, encoding)} and drop the file again"
