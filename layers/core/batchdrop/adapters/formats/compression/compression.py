"""Compress and decompress gzip, Zstandard and bzip2 in flat memory."""

from __future__ import annotations

import bz2
import tempfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol, cast

from batchdrop.adapters.formats.compression.decoders import (
    BlockFile,
    Corrupt,
    Kind,
    WindowTooLarge,
    decoded,
)
from batchdrop.adapters.formats.limits import MAX_DECOMPRESSED_BYTES, UNSUSPECTED_BYTES
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source, Writer

MAX_SPOOLED_BYTES = 3_500_000_000  # ours: of a file in a format that is read from its end, on 4 GB of /tmp
MAX_EXPANSION = 250  # ours: tables compress to a tenth, rarely to a hundredth; gzip's most is 1,032

TITLES: dict[Kind, str] = {"gz": "gzip", "zst": "Zstandard", "bz2": "bzip2"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on expansion: as a stream, on disk, and the size below which the ratio is not checked."""

    streamed: int = MAX_DECOMPRESSED_BYTES
    spooled: int = MAX_SPOOLED_BYTES
    unsuspected: int = UNSUSPECTED_BYTES


def decompressed(source: Source, kind: Kind, *, bounds: Bounds = Bounds()) -> Source:
    """Return a source of the decompressed bytes, under the same name.

    All members (frames, streams) of the file are read, in flat memory. Reading raises UploadRejected for a file that is
    truncated, damaged or followed by other bytes. It also does so if the file expands beyond the bounds, or, past
    `bounds.unsuspected` bytes, to more than MAX_EXPANSION times its size.
    """
    return _Decompressed(source, kind, bounds)


@contextmanager
def compressing(target: Writer, kind: Kind) -> Generator[Writer, None, None]:
    """Compress all writes into `target`, as one whole member (frame, stream), so that parts can be concatenated.

    The result is deterministic: it has no time and no name. After an error, nothing more is written.
    """
    compressor = _compressor(kind)
    yield _CompressingWriter(compressor, target)
    target.write(compressor.flush())


def compressed(data: bytes, kind: Kind) -> bytes:
    """Return bytes as one whole member (frame, stream)."""
    compressor = _compressor(kind)
    return compressor.compress(data) + compressor.flush()


class _Compressor(Protocol):
    """The common interface of zlib, bz2 and zstandard."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _compressor(kind: Kind) -> _Compressor:
    match kind:
        case "gz":
            return zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)  # 16: a gzip header with mtime 0
        case "bz2":
            return bz2.BZ2Compressor()
        case "zst":
            import zstandard

            return cast("_Compressor", zstandard.ZstdCompressor(write_checksum=True).compressobj())


class _CompressingWriter:
    def __init__(self, compressor: _Compressor, target: Writer) -> None:
        self._compressor = compressor
        self._target = target

    def write(self, data: bytes, /) -> None:
        if compressed := self._compressor.compress(data):
            self._target.write(compressed)


class _Decompressed:
    """The decompressed content of a source."""

    def __init__(self, source: Source, kind: Kind, bounds: Bounds) -> None:
        self.name = source.name
        self._source = source
        self._kind: Kind = kind
        self._bounds = bounds
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Return the number of decompressed bytes. No format states it reliably, so the first call reads everything."""
        if self._size is None:
            with closing(self.blocks()) as blocks:
                self._size = sum(map(len, blocks))
        return self._size

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield the bytes from offset `start`; the bytes before it are decompressed and discarded."""
        end = 0
        for block in self._read(self._bounds.streamed):
            end += len(block)
            if end > start:
                yield block[max(0, start - end + len(block)) :]
        self._size = end

    def open(self) -> BinaryIO:
        """Return a temporary file with the bytes, which is deleted when it is closed."""
        with ExitStack() as until_spooled:
            spool = until_spooled.enter_context(tempfile.TemporaryFile(prefix="decompressed-"))
            for block in self._read(self._bounds.spooled):
                spool.write(block)
            until_spooled.pop_all()
        self._size = spool.tell()
        spool.seek(0)
        return cast("BinaryIO", spool)

    def _read(self, most: int) -> Iterator[bytes]:
        expanded = 0
        with closing(self._source.blocks()) as blocks:
            file = BlockFile(blocks)
            for block in self._checked(file):
                expanded += len(block)
                self._check_expansion(expanded, file.position, most)
                yield block
        if not file.position:
            self._refuse(f"it is empty, so it is not a {TITLES[self._kind]} file")

    def _checked(self, file: BlockFile) -> Iterator[bytes]:
        """Yield decompressed blocks, and turn decoding errors into UploadRejected."""
        title = TITLES[self._kind]
        try:
            yield from decoded(file, self._kind)
        except EOFError:
            self._refuse(f"it is truncated: its {title} data does not end within its {file.position:,} bytes")
        except Corrupt as error:
            self._refuse(f"it is not {title}, or it is damaged before byte {file.position:,} ({error})")
        except WindowTooLarge:
            self._refuse(
                f"decompression from byte {file.position:,} on needs too much memory (zstd --long)",
                "Compress it again without --long",
            )

    def _check_expansion(self, expanded: int, read: int, most: int) -> None:
        if expanded > most:
            self._refuse(f"its {read:,} bytes expand to more than {most:,}", "Split it into smaller files")
        if expanded > self._bounds.unsuspected and expanded > MAX_EXPANSION * read:
            self._refuse(
                f"its first {read:,} bytes expand to {expanded:,}, more than {MAX_EXPANSION} times as many",
                "If that is correct, drop the file uncompressed",
            )

    def _refuse(self, problem: str, remedy: str = "Compress the file again and drop it again") -> NoReturn:
        message = f"{self.name}: {problem}. {remedy}"
        raise UploadRejected(message)
