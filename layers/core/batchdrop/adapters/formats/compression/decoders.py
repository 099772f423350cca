"""Decompress in bounded steps: one step yields at most a block."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

if TYPE_CHECKING:
    import zstandard
    from _typeshed import WriteableBuffer

MAX_ZSTD_WINDOW_BYTES = 1 << 27  # zstd's own default; a larger window needs --long on both sides

Kind = Literal["gz", "zst", "bz2"]

BLOCK = 1 << 20
_FRAME = b"\x28\xb5\x2f\xfd"  # Zstandard's magic number
_SKIPPABLE, _SKIPPABLE_NIBBLE = b"\x2a\x4d\x18", 5  # frames without data: 0x184D2A50 to 0x184D2A5F


class Corrupt(Exception):  # the reader adds file and byte, and raises UploadRejected
    """Bytes that do not follow the format; the message is the library's reason."""


class WindowTooLarge(Exception):  # likewise
    """A Zstandard frame that needs too much memory."""


class BlockFile(io.RawIOBase):
    """Blocks as a file that can be read once. `position` counts the bytes that were read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = memoryview(b"")
        self.position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer from the current block; return 0 at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self.position += count
        return count


def decoded(file: BlockFile, kind: Kind) -> Iterator[bytes]:
    """Yield the content of `file` up to the end of its last member, in blocks of at most BLOCK bytes.

    Raises EOFError if the file is truncated, Corrupt, or WindowTooLarge.
    """
    return _DECODERS[kind](file)


def _gunzipped(file: BlockFile) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BufferedReader(file, BLOCK)) as reader:
        while True:
            try:
                block = reader.read(BLOCK)
            except (gzip.BadGzipFile, zlib.error) as error:
                raise Corrupt(error) from error
            if not block:
                return
            yield block


def _bunzipped(file: BlockFile) -> Iterator[bytes]:
    # Not BZ2File: it would ignore anything after the last stream.
    decoder, fresh = bz2.BZ2Decompressor(), True
    while True:
        given = b""
        if decoder.eof:
            given = decoder.unused_data
            decoder, fresh = bz2.BZ2Decompressor(), True
        if decoder.needs_input and not given:
            given = file.read(BLOCK) or b""
            if not given:
                break
        try:
            block = decoder.decompress(given, BLOCK)
        except OSError as error:
            raise Corrupt(error) from error
        fresh = False
        if block:
            yield block
    if not fresh:
        raise EOFError


def _unzstd(file: BlockFile) -> Iterator[bytes]:
    """Decompress all frames block by block. The library itself accepts truncated frames, and reads without limit.

    RFC 8878, section 3.1, specifies frames and blocks.
    """
    import zstandard

    reader = cast("BinaryIO", io.BufferedReader(file, BLOCK))
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES)
    while magic := reader.read(4):
        if magic == _FRAME:
            try:
                yield from _frame(reader, decompressor.decompressobj())
            except zstandard.ZstdError as error:
                if "too much memory" in str(error):
                    raise WindowTooLarge from error
                raise Corrupt(error) from error
        elif magic[1:] == _SKIPPABLE and magic[0] >> 4 == _SKIPPABLE_NIBBLE:
            _skip(reader, int.from_bytes(_exactly(reader, 4), "little"))
        elif _FRAME.startswith(magic):
            raise EOFError
        else:
            reason = f"no frame starts with {magic!r}"
            raise Corrupt(reason)


def _frame(reader: BinaryIO, decoder: zstandard.ZstdDecompressionObj) -> Iterator[bytes]:
    descriptor = _exactly(reader, 1)
    flags = descriptor[0]
    one_segment, has_checksum = flags >> 5 & 1, flags >> 2 & 1
    content_size = (one_segment, 2, 4, 8)[flags >> 6]
    piece = _FRAME + descriptor + _exactly(reader, 1 - one_segment + (0, 1, 2, 4)[flags & 3] + content_size)
    last = 0
    while not last:
        head = _exactly(reader, 3)
        number = int.from_bytes(head, "little")
        last, is_repeated = number & 1, number >> 1 & 3 == 1
        piece += head + _exactly(reader, 1 if is_repeated else number >> 3)
        if last and has_checksum:
            piece += _exactly(reader, 4)
        if block := decoder.decompress(piece):  # at most 128 KiB, the format's largest block
            yield block
        piece = b""
    if not decoder.eof:
        raise EOFError


def _exactly(reader: BinaryIO, count: int) -> bytes:
    data = reader.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _skip(reader: BinaryIO, count: int) -> None:
    while count:
        count -= len(_exactly(reader, min(count, BLOCK)))


_DECODERS: Mapping[Kind, Callable[[BlockFile], Iterator[bytes]]] = {
    "gz": _gunzipped,
    "bz2": _bunzipped,
    "zst": _unzstd,
}
