"""Bytes to lines, with the place of each: the ground under every text format."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate, chain, repeat
from typing import NamedTuple

from batchdrop.adapters.formats.encodings import UTF_8, Encoding, encoding_named, look
from batchdrop.domain.limits import MAX_LINE_BYTES
from batchdrop.errors import UploadRejected

_ISO2022 = (b"\x1b$B", b"\x1b$@")  # Japanese mail's escapes: ASCII to every decoder, and never meant as it


class Undecodable(Exception):  # the readers catch it, add the row, and raise UploadRejected
    """Bytes that are not in the encoding they were read as; the message says where and what to do."""


class Line(NamedTuple):
    """A line with its line end. `offset` is the file's bytes before it.

    `exact` holds the line's bytes where writing `text` in the file's encoding would give others.
    """

    offset: int
    text: str
    exact: bytes | None = None


_line = partial(tuple.__new__, Line)  # Line(…) without its keywords: a third of the time


def split_lines(
    blocks: Iterable[bytes], *, offset: int, filename: str, encoding: str | Encoding | None = None
) -> Iterator[Line]:
    """Cut bytes into lines at newlines, and decode each.

    `offset` is where the first block stands in the file. The encoding is UTF-8 unless it is named, or the file begins
    with a byte order mark, which decides. Who goes on within a file gives the `Encoding` that its beginning had.
    Raises Undecodable with the byte, and UploadRejected for what cannot be text with a record a line.
    """
    if not isinstance(encoding, Encoding):
        if not offset:
            encoding, blocks = look(blocks, encoding, filename=filename)
        else:
            encoding = encoding_named(encoding) if encoding else UTF_8
    return chain.from_iterable(split_chunks(blocks, offset, filename, encoding))


def without_line_end(text: str) -> str:
    r"""Return a line without its line end: `\n`, `\r\n`, and what broken exports write, such as `\r\r\n`."""
    return text.rstrip("\r\n")


def split_chunks(blocks: Iterable[bytes], offset: int, filename: str, encoding: Encoding) -> Iterator[Iterator[Line]]:
    """Yield the lines as `split_lines` does, those of each block together."""
    rest = b""
    for block in blocks:
        whole = rest + block
        end = _last_newline(whole, encoding)
        yield _lines(whole[:end], offset, encoding, whole)
        offset += end
        rest = whole[end:]
        if len(rest) > MAX_LINE_BYTES:
            message = (
                f"{filename}: the line that starts at byte {offset:,} is longer than {MAX_LINE_BYTES:,} bytes; "
                "is this a text file with one record a line?"
            )
            raise UploadRejected(message)
    yield _lines(rest, offset, encoding, rest)


def _last_newline(whole: bytes, encoding: Encoding) -> int:
    """Return the place behind the last newline; 0 if there is none."""
    size, unit = len(encoding.newline), encoding.unit
    at = whole.rfind(encoding.newline)
    while at % unit and at > 0:
        at = whole.rfind(encoding.newline, 0, at + size - 1)
    return at + size if at >= 0 and not at % unit else 0


def _lines(chunk: bytes, offset: int, encoding: Encoding, around: bytes) -> Iterator[Line]:
    """Decode whole lines together, which is several times as fast as each alone."""
    if encoding.is_stateful:
        return _lines_alone(chunk, offset, encoding, around)
    try:
        text = chunk.decode(encoding.name)
    except UnicodeDecodeError:
        return _lines_alone(chunk, offset, encoding, around)
    if encoding.name == "utf-8":
        if b"\x1b$" in chunk and any(escape in chunk for escape in _ISO2022):
            return _iso2022(chunk, offset)
    elif not encoding.is_unicode and text.encode(encoding.name, "replace") != chunk:
        return _lines_alone(chunk, offset, encoding, around)
    lines = list(io.StringIO(text, newline="\n"))
    return map(_line, zip(accumulate(_lengths(lines, chunk, text, encoding), initial=offset), lines, repeat(None)))


def _lengths(lines: list[str], chunk: bytes, text: str, encoding: Encoding) -> Iterable[int]:
    if len(text) == len(chunk):
        return map(len, lines)
    if encoding.unit > 1:
        return (len(line.encode(encoding.name)) for line in lines)
    return map(len, io.BytesIO(chunk))


def _lines_alone(chunk: bytes, offset: int, encoding: Encoding, around: bytes) -> Iterator[Line]:
    at = 0
    for raw in _raw_lines(chunk, encoding):
        try:
            text = _decoded(raw, encoding)
        except UnicodeDecodeError as error:
            message = f"byte {offset + error.start:,} ({_shown(error)}) is not {_title(encoding)}. "
            raise Undecodable(message + _advice(around, at, encoding)) from error
        is_exact = encoding.is_unicode or text.encode(encoding.name, "replace") == raw
        yield Line(offset, text, None if is_exact else raw)
        offset += len(raw)
        at += len(raw)


def _raw_lines(chunk: bytes, encoding: Encoding) -> Iterator[bytes]:
    newline, unit = encoding.newline, encoding.unit
    start, at = 0, chunk.find(newline)
    while at >= 0:
        if at % unit:
            at = chunk.find(newline, at + 1)
            continue
        yield chunk[start : at + unit]
        start = at + unit
        at = chunk.find(newline, start)
    if start < len(chunk):
        yield chunk[start:]


def _decoded(raw: bytes, encoding: Encoding) -> str:
    text = raw.decode(encoding.name)
    if encoding.is_stateful and not (raw + b"a").decode(encoding.name).endswith("a"):
        raise UnicodeDecodeError(encoding.name, raw, len(raw) - 1, len(raw), "the line does not return to ASCII")
    return text


def _shown(error: UnicodeDecodeError) -> str:
    return f"0x{error.object[error.start]:02x}" if error.start < len(error.object) else "the end"


def _title(encoding: Encoding) -> str:
    return encoding.name.upper() if encoding.is_unicode else encoding.name


def _advice(around: bytes, at: int, encoding: Encoding) -> str:
    from batchdrop.adapters.formats.guesses import advice

    return f"{advice(around, at, encoding)} and drop the file again"


def _iso2022(chunk: bytes, offset: int) -> Iterator[Line]:
    """Refuse Japanese mail's encoding, which UTF-8 takes for ASCII; the lines before it come first."""
    for line in _lines_alone(chunk, offset, UTF_8, chunk):
        found = [at for escape in _ISO2022 if (at := line.text.find(escape.decode())) >= 0]
        if found:
            place = line.offset + len(line.text[: min(found)].encode())
            message = (
                f"byte {place:,} begins an escape sequence of ISO-2022-JP. "
                "Set `input: {encoding: iso2022_jp}` in the recipe, or save the file as UTF-8 and drop it again"
            )
            raise Undecodable(message)
        yield line
