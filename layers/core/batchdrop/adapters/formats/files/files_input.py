"""Read files as rows: a document or image is one row, a `.zip` has one row per member."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import msgspec

from batchdrop.adapters.formats.files.zip_members import MemberBroken, ZipMembers, is_zip
from batchdrop.errors import RowRejected, UploadRejected
from batchdrop.ports import Source
from batchdrop.requests.content_block import check_size, content_of
from batchdrop.requests.row import Cursor, Row


class FileCells(msgspec.Struct, frozen=True):
    """A row's cells. `file` is the name of the file or of the archive's member; `type` is empty if unknown."""

    file: str
    type: str
    bytes: int


class FilesInput:
    """Reads documents and images; each row brings its own content block."""

    name = "files"
    columns: list[str] | None
    header = ""
    sidecar = None  # a row's text is exact
    notes: list[str] = []  # noqa: RUF012 - never changed

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self.columns = list(FileCells.__struct_fields__)

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read one row per file, in blocks of one row. The cursor's offset counts an archive's members.

        Raises UploadRejected for a broken archive.
        """
        if not self._filename.lower().endswith(".zip"):
            if start == Cursor():
                yield [self._single(source)]
            return
        if not is_zip(source):
            message = (
                f"{self._filename}: it is named .zip, but it is not a ZIP archive; zip the files again and drop it"
            )
            raise UploadRejected(message)
        for row in self._members(source, start):
            yield [row]

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's cells; None if the text is not such a row."""
        try:
            cells: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(raw, type=FileCells))
        except msgspec.MsgspecError:
            return None
        return cells

    def _single(self, source: Source) -> Row:
        place, size = _Place(Cursor(), self._filename, "row 1"), source.size
        try:
            check_size(size, None)
            return _row(place, b"".join(source.blocks()))
        except RowRejected as unaskable:
            return _reject(place, size, str(unaskable))

    def _members(self, source: Source, start: Cursor) -> Generator[Row, None, None]:
        number = start.rows
        with ZipMembers(source, self._filename) as members:
            for index, member in members.files(start.offset):
                place = _Place(Cursor(index, number, number), member.name, f"row {number + 1} ({member.name})")
                try:
                    check_size(member.size, None)
                    yield _row(place, members.read(member))
                except (RowRejected, MemberBroken) as problem:
                    yield _reject(place, member.size, str(problem))
                number += 1


class _Place(NamedTuple):
    """A row's start, its file's name, and its place in messages."""

    start: Cursor
    file: str
    where: str


def _row(place: _Place, body: bytes) -> Row:
    content = content_of(body, name=place.file)
    cells = FileCells(place.file, content.media_type, len(body))
    return Row(_raw(cells), place.start, msgspec.to_builtins(cells), content=(content.block,), where=place.where)


def _reject(place: _Place, size: int, reason: str) -> Row:
    return Row(_raw(FileCells(place.file, "", size)), place.start, error=reason, where=place.where)


def _raw(cells: FileCells) -> str:
    return msgspec.json.encode(cells).decode()
