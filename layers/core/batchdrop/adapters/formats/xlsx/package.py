"""Open the ZIP archive of a workbook: check that it is one and safe to unpack, and find its members."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Literal

from batchdrop.adapters.formats.xlsx.limits import (
    MAX_XLSX_BYTES,
    MAX_XLSX_DIRECTORY_BYTES,
    MAX_XLSX_RATIO,
    XLSX_SMALL_BYTES,
)
from batchdrop.adapters.formats.xlsx.xml import Attributes, BadXml, parse_all
from batchdrop.errors import UploadRejected

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")  # the container of .xls, and of encrypted .xlsx
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_COMMENT_BYTES = 65_535
_TEXT = bytes([*b"\t\r\n", *range(0x20, 0x100)])
_SAVE_AS = "Save it as an Excel workbook (.xlsx) and drop it again"


class Package:
    """An open workbook file. Raises UploadRejected for other files, locked ones, and ZIP bombs."""

    def __init__(self, stream: BinaryIO, filename: str) -> None:
        self._filename = filename
        with self.refusals():
            self._refuse_by_its_head(stream)
            self._refuse_large_directory(stream)
            self._zip = zipfile.ZipFile(stream)
            self._refuse_bombs(stream.seek(0, 2))
            self._refuse_odd_members()
            self._members = {_normal(info.filename): info for info in self._zip.infolist()}

    def open(self, path: str) -> IO[bytes]:
        """Open a member. Raises UploadRejected if it is missing."""
        if (info := self._members.get(_normal(path))) is None:
            message = f"{self._filename}: the workbook is broken (it has no {path}). {_SAVE_AS}"
            raise UploadRejected(message)
        with self.refusals():
            return self._zip.open(info)

    def has(self, path: str) -> bool:
        """Return whether the archive has this member."""
        return _normal(path) in self._members

    @property
    def kind(self) -> Literal["xlsx", "xlsb", "ods"]:
        """Return the workbook's format; xlsx if it is neither of the others."""
        if self.has("content.xml") and self.has("mimetype"):
            return "ods"
        return "xlsb" if any(path.endswith(".bin") for path in self.targets("", "officeDocument")) else "xlsx"

    def members(self) -> Iterator[tuple[zipfile.ZipInfo, str]]:
        """Yield the archive's members in their order, with their paths."""
        for info in self._zip.infolist():
            yield info, info.filename

    def size(self, path: str) -> int:
        """Return a member's unpacked size in bytes."""
        return self._members[_normal(path)].file_size

    def is_same(self, one: str, other: str) -> bool:
        """Return whether two paths name the same member."""
        return _normal(one) == _normal(other)

    def targets(self, path: str, kind: str) -> list[str]:
        """Return the paths of a member's relations of this kind."""
        return [target for found, target in self.related(path).values() if found == kind]

    def related(self, path: str) -> dict[str, tuple[str, str]]:
        """Return a member's relations by id: the last part of the type (`worksheet`), and the target's path."""
        folder, name = posixpath.split(path)
        relations: dict[str, tuple[str, str]] = {}

        def start(tag: str, attributes: Attributes) -> None:
            if tag == "Relationship":
                target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", "")))
                kind = attributes.get("Type", "").rpartition("/")[2]
                relations[attributes.get("Id", "")] = (kind, target)

        relations_path = posixpath.join(folder, "_rels", f"{name}.rels")
        if self.has(relations_path):
            with self.refusals(), self.open(relations_path) as stream:
                parse_all(stream, start=start)
        return relations

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn errors of the ZIP and XML readers into UploadRejected."""
        try:
            yield
        except (BadXml, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
            message = f"{self._filename}: the workbook is broken ({error}). {_SAVE_AS}"
            raise UploadRejected(message) from error

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def _refuse_by_its_head(self, stream: BinaryIO) -> None:
        head = stream.read(512)
        stream.seek(0)
        if head.startswith(b"PK"):
            return
        what = "this is not an Excel workbook"
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            what = "this is a web page or XML under a workbook's name. Open it in a spreadsheet program"
        elif head and head.translate(None, _TEXT) == b"":
            what = "this is text, not an Excel workbook. Drop it as .csv or .tsv; or open it in a spreadsheet program"
        message = f"{self._filename}: {what}. {_SAVE_AS}"
        raise UploadRejected(message)

    def _refuse_large_directory(self, stream: BinaryIO) -> None:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _COMMENT_BYTES - _END_RECORD_BYTES))
        tail = stream.read()
        stream.seek(0)
        place = tail.rfind(_END_RECORD)
        if place >= 0 and int.from_bytes(tail[place + 12 : place + 16], "little") > MAX_XLSX_DIRECTORY_BYTES:
            message = f"{self._filename}: the workbook has too many parts. {_SAVE_AS}"
            raise UploadRejected(message)

    def _refuse_bombs(self, size: int) -> None:
        members = self._zip.infolist()
        expanded = sum(info.file_size for info in members)
        packed = min(size, sum(info.compress_size for info in members))
        if expanded > MAX_XLSX_BYTES or (expanded > XLSX_SMALL_BYTES and expanded > MAX_XLSX_RATIO * packed):
            message = (
                f"{self._filename}: the workbook unpacks from {size:,} to {expanded:,} bytes, more than is safe. "
                "Save the sheet as .csv and drop that"
            )
            raise UploadRejected(message)
        if any(info.flag_bits & 1 for info in members):
            message = f"{self._filename}: the file is locked with a password. Save it without one and drop it again"
            raise UploadRejected(message)

    def _refuse_odd_members(self) -> None:
        for info in self._zip.infolist():
            if info.header_offset < 0 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                message = f"the zip's entry of {info.filename} is damaged"
                raise zipfile.BadZipFile(message)


def _normal(path: str) -> str:
    return path.replace("\\", "/").lstrip("/").lower()


def is_old(stream: BinaryIO, filename: str) -> bool:
    """Return whether a file is an .xls, by its container; leave the stream at its start.

    Raises UploadRejected for an encrypted .xlsx, which is in such a container, too.
    """
    head = stream.read(512)
    if not head.startswith(_OLE):
        stream.seek(0)
        return False
    shift = min(int.from_bytes(head[30:32], "little"), 12)
    stream.seek((int.from_bytes(head[48:52], "little") + 1) << shift)
    directory = stream.read(4096)  # the names of the container's parts
    stream.seek(0)
    if "EncryptedPackage".encode("utf-16-le") in directory:
        message = f"{filename}: the workbook is locked with a password. Save it without one and drop it again"
        raise UploadRejected(message)
    return True
