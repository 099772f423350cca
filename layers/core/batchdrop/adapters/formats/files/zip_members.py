"""Read a ZIP archive's files one at a time, in bounded memory. Their names are never used as paths."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import IO, NamedTuple, NoReturn, Self, cast

from batchdrop.adapters.formats.limits import MAX_DECOMPRESSED_BYTES
from batchdrop.errors import UploadRejected
from batchdrop.limits import MAX_DOCUMENT_BYTES
from batchdrop.ports import Source

MAX_ZIP_DIRECTORY_BYTES = 16_777_216  # ours: the names of about 200,000 files, 150 MB once they are parsed
MAX_ZIP_RATIO = 200  # ours: documents and photos shrink to a third at best; a zip bomb to a thousandth
ZIP_RATIO_FROM_BYTES = 1_000_000  # ours: a smaller member or archive does no harm, whatever its ratio

_BLOCK = 1 << 20
_ENCRYPTED = 0x1  # a member's flag bit
_UTF8_NAME = 0x800
_UNREADABLE = (
    zipfile.BadZipFile,  # its CRC, its header, or overlapping members
    NotImplementedError,  # a compression method that Python lacks
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,  # a broken bz2 stream
    ValueError,
    struct.error,
)


class MemberBroken(Exception):  # rejects one row only
    """This member cannot be read; the message is the user's reason."""


class Member(NamedTuple):
    """A file in an archive. `size` is the size that the archive declares."""

    name: str
    size: int
    info: zipfile.ZipInfo


def is_zip(source: Source) -> bool:
    """Return whether a source starts like a ZIP archive; an empty archive counts, too."""
    with source.open() as file:
        return file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


class ZipMembers:
    """A context with an open archive. Raises UploadRejected for a broken archive or a ZIP bomb."""

    def __init__(self, source: Source, filename: str) -> None:
        self._filename = filename
        self._file = _Bounded(source)
        try:
            self._archive = zipfile.ZipFile(cast("IO[bytes]", self._file))
        except _TooMuchAtOnce as much:
            message = (
                f"{filename}: its directory has {much} bytes, so it has too many files; split it into several archives"
            )
            raise UploadRejected(message) from much
        except _UNREADABLE as problem:
            message = (
                f"{filename}: the ZIP archive is truncated or damaged ({problem}); zip the files again and drop it"
            )
            raise UploadRejected(message) from problem
        self._refuse_bomb(source.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
        self._file.close()

    def files(self, start: int = 0) -> Iterator[tuple[int, Member]]:
        """Yield the files from member `start` on, with their indexes, without folders and system files."""
        infos = self._archive.infolist()
        for index in range(start, len(infos)):
            info = infos[index]
            name = _name(info)
            if not info.is_dir() and not _is_system_file(name):
                yield index, Member(name, info.file_size, info)

    def read(self, member: Member) -> bytes:
        """Return the content of a file that declares at most MAX_DOCUMENT_BYTES. Raises MemberBroken."""
        info = member.info
        if info.flag_bits & _ENCRYPTED:
            reason = "it is encrypted in the archive; zip it without a password"
            raise MemberBroken(reason)
        if _explodes(info.file_size, info.compress_size):
            reason = f"it would unpack to more than {MAX_ZIP_RATIO} times its size, which no document does; remove it"
            raise MemberBroken(reason)
        try:
            with self._archive.open(info) as file:
                body = file.read(MAX_DOCUMENT_BYTES + 1)
        except _TooMuchAtOnce as much:
            reason = f"its name has {much} bytes; zip the files again"
            raise MemberBroken(reason) from much
        except _UNREADABLE as problem:
            reason = f"it cannot be unpacked ({problem}); zip the files again"
            raise MemberBroken(reason) from problem
        if len(body) != info.file_size:
            reason = (
                f"its unpacked size is not the {info.file_size:,} bytes that the archive declares; zip the files again"
            )
            raise MemberBroken(reason)
        return body

    def blocks(self, member: Member, start: int = 0) -> Generator[bytes, None, None]:
        """Yield a file's content from a byte on. Raises UploadRejected for a file that cannot be unpacked."""
        if member.info.flag_bits & _ENCRYPTED:
            self._refuse(member, "it is encrypted in the archive; zip it without a password")
        try:
            unpacked = 0
            with self._archive.open(member.info) as file:
                while start > 0 and (skipped := file.read(min(start, _BLOCK))):
                    start -= len(skipped)
                while block := file.read(_BLOCK):
                    unpacked += len(block)
                    if unpacked > MAX_DECOMPRESSED_BYTES:
                        self._refuse(
                            member, f"it unpacks to more than {MAX_DECOMPRESSED_BYTES:,} bytes; drop it in parts"
                        )
                    yield block
        except (_TooMuchAtOnce, *_UNREADABLE) as problem:
            self._refuse(member, f"it cannot be unpacked ({problem}); zip the files again")

    def _refuse(self, member: Member, reason: str) -> NoReturn:
        message = f"{self._filename}: {member.name}: {reason}"
        raise UploadRejected(message)

    def _refuse_bomb(self, packed: int) -> None:
        unpacked = sum(info.file_size for info in self._archive.infolist())
        if _explodes(unpacked, packed):
            message = (
                f"{self._filename}: its {packed:,} bytes would unpack to {unpacked:,}, more than {MAX_ZIP_RATIO} times "
                "as much, like a ZIP bomb; zip only documents and images"
            )
            raise UploadRejected(message)


class _TooMuchAtOnce(Exception):
    pass


class _Bounded:
    """A source for zipfile that refuses huge reads: no honest archive needs them, and they would fill the memory."""

    def __init__(self, source: Source) -> None:
        self._file = source.open()
        self._size = source.size
        self.seek = self._file.seek
        self.tell = self._file.tell
        self.seekable = self._file.seekable
        self.close = self._file.close

    def read(self, size: int = -1) -> bytes:
        wanted = max(0, self._size - self.tell()) if size < 0 else size
        if wanted > MAX_ZIP_DIRECTORY_BYTES:
            raise _TooMuchAtOnce(f"{wanted:,}")
        return self._file.read(wanted)


def _explodes(unpacked: int, packed: int) -> bool:
    return unpacked > ZIP_RATIO_FROM_BYTES and unpacked > packed * MAX_ZIP_RATIO


def _name(info: zipfile.ZipInfo) -> str:
    """Return the name as its owner sees it. macOS writes UTF-8 without the flag, and zipfile decodes it as CP437."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _is_system_file(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") and part not in {".", ".."} for part in parts)
