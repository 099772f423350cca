"""Read the one table in a ZIP archive: the archive is that table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from typing import BinaryIO, cast

import msgspec

from batchdrop.adapters.formats.around_input import AroundInput
from batchdrop.adapters.formats.compression.compression import MAX_SPOOLED_BYTES
from batchdrop.adapters.formats.files.zip_members import Member, ZipMembers, is_zip
from batchdrop.errors import UploadRejected
from batchdrop.job.ports import InputFormat
from batchdrop.ports import Source
from batchdrop.requests.row import Cursor, Row


class _Found(msgspec.Struct, frozen=True):
    """The table's name in the archive, and what its reader needs to know."""

    table: str
    header: str


class ZipTable(AroundInput):
    """Reads a table in an archive. `reader_of` returns the reader of a file by its name and its known header."""

    def __init__(self, filename: str, reader_of: Callable[[str, str], InputFormat], header: str) -> None:
        self._filename = filename
        self._reader_of = reader_of
        self._table = ""
        found = msgspec.json.decode(header, type=_Found) if header else None
        self.inner = reader_of(found.table, found.header) if found else reader_of(f"{filename}.csv", "")
        self._table = found.table if found else ""

    @property
    def header(self) -> str:
        """Return the table's name and its header, once they are known."""
        return msgspec.json.encode(_Found(self._table, self.inner.header)).decode() if self._table else ""

    @property
    def notes(self) -> list[str]:
        """Return what was found, for people."""
        return [*([f"the table is {self._table} in the archive"] if self._table else []), *self.inner.notes]

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows after `start`. Raises UploadRejected for an archive that is not one table."""
        member = self._only_member(source)
        if not self._table:
            self.inner = self._reader_of(member.name, "")
            self._table = member.name
        return self.inner.row_blocks(_MemberSource(source, self._filename, member), start)

    def _only_member(self, source: Source) -> Member:
        if not is_zip(source):
            message = f"{self._filename}: it is named .zip, but it is not a ZIP archive; zip the table again"
            raise UploadRejected(message)
        with ZipMembers(source, self._filename) as archive:
            members = [member for _, member in archive.files()]
        if len(members) != 1:
            message = (
                f"{self._filename}: the archive holds {len(members):,} files. Zip one table alone. "
                "For documents and images, set `input: files` in the recipe"
            )
            raise UploadRejected(message)
        return members[0]


class _MemberSource:
    """A file in the archive, as a source."""

    def __init__(self, source: Source, filename: str, member: Member) -> None:
        self.name = member.name
        self._source = source
        self._filename = filename
        self._member = member

    @property
    def size(self) -> int:
        """Return the size that the archive declares."""
        return self._member.size

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield the content from a byte on; the file is unpacked from its start."""
        with ZipMembers(self._source, self._filename) as archive:
            yield from archive.blocks(self._member, start)

    def open(self) -> BinaryIO:
        """Unpack the file to the disk, for reading in any order. Raises UploadRejected if it is too large for that."""
        if self._member.size > MAX_SPOOLED_BYTES:
            message = (
                f"{self._filename}: {self.name} unpacks to more than {MAX_SPOOLED_BYTES:,} bytes; drop it unzipped"
            )
            raise UploadRejected(message)
        spool = tempfile.TemporaryFile(prefix="unzipped-")  # noqa: SIM115 - the reader closes it
        try:
            with closing(self.blocks()) as blocks:
                for block in blocks:
                    spool.write(block)
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return cast("BinaryIO", spool)
