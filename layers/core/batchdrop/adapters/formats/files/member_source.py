"""A file in a ZIP archive, as a source."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import closing
from typing import BinaryIO, cast

from batchdrop.adapters.formats.compression.compression import MAX_SPOOLED_BYTES
from batchdrop.adapters.formats.files.zip_members import Member, ZipMembers
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source


class MemberSource:
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
