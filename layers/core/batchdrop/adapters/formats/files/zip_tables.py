"""Read the tables in a ZIP archive: one is that table, several with one header are one table."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from batchdrop.adapters.formats.around_input import AroundInput, innermost
from batchdrop.adapters.formats.files.member_source import MemberSource
from batchdrop.adapters.formats.files.stamps import FILE, Stamp, differing_column, joined, stamp_of
from batchdrop.adapters.formats.files.zip_members import Member, ZipMembers, is_zip
from batchdrop.adapters.formats.names import is_table, is_text
from batchdrop.errors import UploadRejected
from batchdrop.job.ports import InputFormat
from batchdrop.ports import Source
from batchdrop.recipe.recipe import FormatName
from batchdrop.requests.row import Cursor, Row

_IN_MEMBER = 40  # bits of a cursor's offset within a member: twice the largest content; the others count members
_SHOWN = 5  # names in a note


@dataclass(frozen=True, slots=True)
class ZipReaders:
    """Makes readers: of a file in the archive, by its name, and of all rows as they are stored, by their format."""

    member: Callable[[str, str], InputFormat]
    whole: Callable[[FormatName, str], InputFormat]


class _Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """The only table's name in the archive, or how several are joined, and what was found in it."""

    header: str
    table: str = ""
    joined: FormatName | None = None
    notes: list[str] = []


class ZipTables(AroundInput):
    """Reads the tables in an archive, in its order. Several have a last column `_file` with their names."""

    def __init__(self, filename: str, readers: ZipReaders, header: str) -> None:
        self._filename = filename
        self._readers = readers
        self._found = msgspec.json.decode(header, type=_Found) if header else None
        self.inner = readers.member(f"{filename}.csv", "")
        self._first: InputFormat | None = None
        if self._found:
            self._begin_with(self._found)

    @property
    def header(self) -> str:
        """Return what a later reading needs to know, once it is known."""
        if self._found is None:
            return ""
        return msgspec.json.encode(msgspec.structs.replace(self._found, header=self.inner.header)).decode()

    @property
    def notes(self) -> list[str]:
        """Return what was found, for people."""
        own = self._found.notes if self._found else []
        return [*own, *(self._first or self.inner).notes]

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the rows after `start`. Raises UploadRejected for an archive without tables, or with different ones."""
        tables, others = self._tables(source)
        single = len(tables) == 1
        if self._found is None:
            notes = [self._note(tables), *_ignored(others)]
            self._found = self._single(tables[0], notes) if single else self._several(source, tables[0], notes)
            self._begin_with(self._found)
        if single:
            return self.inner.row_blocks(MemberSource(source, self._filename, tables[0]), start)
        return self._all(source, tables, start)

    def _begin_with(self, found: _Found) -> None:
        readers = self._readers
        self.inner = (
            readers.whole(found.joined, found.header) if found.joined else readers.member(found.table, found.header)
        )

    def _single(self, table: Member, notes: list[str]) -> _Found:
        return _Found("", table.name, None, notes)

    def _several(self, source: Source, first: Member, notes: list[str]) -> _Found:
        reader, blocks = self._open(source, first)
        blocks.close()
        if FILE in (reader.columns or []):
            message = (
                f"{self._filename}: {first.name} has a column '{FILE}', which names the file in the archive; rename it"
            )
            raise UploadRejected(message)
        how = joined(innermost(reader))
        return _Found(how.header, joined=how.format, notes=[*notes, *reader.notes])

    def _note(self, tables: list[Member]) -> str:
        first, last = tables[0].name, tables[-1].name
        if len(tables) == 1:
            return f"the table is {first} in the archive"
        return f"the archive holds {len(tables):,} tables, from {first} to {last}; the column '{FILE}' names each row's"

    def _open(self, source: Source, member: Member) -> tuple[InputFormat, Generator[list[Row], None, None]]:
        reader = self._readers.member(member.name, "")
        return reader, reader.row_blocks(MemberSource(source, self._filename, member), Cursor())

    def _all(self, source: Source, tables: list[Member], start: Cursor) -> Generator[list[Row], None, None]:
        place, offset = divmod(start.offset, 1 << _IN_MEMBER)
        first, blocks = self._open(source, tables[0])
        blocks.close()
        before = start.rows
        for number in range(place, len(tables)):
            reader, blocks = self._open(source, tables[number])
            self._check(innermost(first), innermost(reader), tables[0].name, tables[number].name)
            if offset:
                blocks.close()
                inner = Cursor(offset, _rows_at(innermost(reader), offset), start.lines)
                before, offset = start.rows - inner.rows, 0
                blocks = reader.row_blocks(MemberSource(source, self._filename, tables[number]), inner)
            placed = _Placed(
                number, before, tables[number].name, stamp_of(innermost(reader), self.inner, tables[number].name)
            )
            with closing(blocks):
                for block in blocks:
                    yield list(map(placed.row, block))
                    before = placed.before + block[-1].number

    def _check(self, first: InputFormat, reader: InputFormat, first_name: str, name: str) -> None:
        kinds = ["jsonl" if one.name == "json" else one.name for one in (first, reader)]
        differs = f"is {kinds[1]}, not {kinds[0]}" if kinds[0] != kinds[1] else differing_column(first, reader)
        if differs:
            message = (
                f"{self._filename}: {name} {differs}, unlike {first_name}. Several tables in one archive must have the "
                "same columns; drop the others on their own"
            )
            raise UploadRejected(message)

    def _tables(self, source: Source) -> tuple[list[Member], list[Member]]:
        if not is_zip(source):
            message = f"{self._filename}: it is named .zip, but it is not a ZIP archive; zip the table again"
            raise UploadRejected(message)
        with ZipMembers(source, self._filename) as archive:
            members = [member for _, member in archive.files()]
        tables = [member for member in members if is_table(member.name)]
        tables = tables or [member for member in members if is_text(member.name)]
        if not tables and len(members) == 1:
            tables = members  # its reader says what is wrong with it
        if not tables:
            message = (
                f"{self._filename}: the archive holds {len(members):,} files, and no table. Zip tables, such as .csv. "
                "For documents and images, set `input: files` in the recipe"
            )
            raise UploadRejected(message)
        return tables, [member for member in members if member not in tables]


class _Placed(NamedTuple):
    """Where a table's rows are in the archive: its number, the rows before it, and its name."""

    number: int
    before: int
    name: str
    stamp: Stamp

    def row(self, row: Row) -> Row:
        start = row.start
        place = Cursor((self.number << _IN_MEMBER) + start.offset, self.before + start.rows, start.lines)
        where = f"{self.name} {row.where or f'line {start.lines + 1}'}"
        return msgspec.structs.replace(self.stamp(row), start=place, where=where)


def _rows_at(reader: InputFormat, offset: int) -> int:
    """Return the rows before an offset, for formats whose offsets count rows."""
    return offset if reader.sidecar else 0


def _ignored(others: list[Member]) -> list[str]:
    if not others:
        return []
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return [f"not read: {', '.join(member.name for member in others[:_SHOWN])}{more}"]
