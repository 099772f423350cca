"""Write the upload's own workbook again, with new columns in the sheet that was read. All else stays as it is."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO, BinaryIO
from xml.sax.saxutils import quoteattr, unescape

from batchdrop.adapters.formats.xlsx.book import read_book, read_formats
from batchdrop.adapters.formats.xlsx.cells import Cell
from batchdrop.adapters.formats.xlsx.extend_sheet import NewCells, extended, widened
from batchdrop.adapters.formats.xlsx.header import SheetHeader
from batchdrop.adapters.formats.xlsx.input import shared_strings
from batchdrop.adapters.formats.xlsx.limits import XLSX_COLUMNS
from batchdrop.adapters.formats.xlsx.long_texts import LongTexts, cut, is_long
from batchdrop.adapters.formats.xlsx.package import Package
from batchdrop.adapters.formats.xlsx.sheet import column_letters, sheet_rows
from batchdrop.adapters.formats.xlsx.workbook import SHEET_BYTES, cell_xml
from batchdrop.errors import InvariantBroken

_QUOTED_XF = b'<%bxf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/>'
_CELL_XFS = re.compile(rb'(<(?:\w+:)?cellXfs\b[^>]*\bcount=")(\d+)(")')
_END_CELL_XFS = re.compile(rb"</((?:\w+:)?)cellXfs>")
_COLUMNS = re.compile(rb'(<(?:\w+:)?tableColumns\b[^>]*\bcount=")(\d+)(")')
_COLUMN_IDS = re.compile(rb'<(?:\w+:)?tableColumn\b[^>]*?\bid="(\d+)"')
_END_COLUMNS = re.compile(rb"</((?:\w+:)?)tableColumns>")
_TABLE_TAGS = re.compile(rb"<(?:\w+:)?(?:table|autoFilter)\b[^>]*>")
_FILTER_NAME = re.compile(
    rb"(<(?:\w+:)?definedName\b[^>]*_xlnm\._FilterDatabase[^>]*>[^<]*\$)([A-Z]+)(\$\d+:\$)([A-Z]+)(\$\d+)"
)


@dataclass(frozen=True, slots=True)
class Extension:
    """What a workbook gets: the sheet and its header as they were read, the new titles, and each row's new cells."""

    header: SheetHeader
    titles: Sequence[str]
    rows: Iterator[Sequence[Cell]]
    long_texts: LongTexts

    def fitted(self, number: int, cells: Sequence[Cell]) -> Sequence[Cell]:
        """Return a row's new cells, with long texts cut and kept."""
        if any(map(is_long, cells)):
            for title, cell in zip(self.titles, cells, strict=True):
                if is_long(cell):
                    self.long_texts.keep(self.header.sheet, number, title, cell)
            return list(map(cut, cells))
        return cells


def extend_workbook(upload: BinaryIO, filename: str, extension: Extension, target: zipfile.ZipFile) -> None:
    """Write the workbook with the new columns. Raises UploadRejected for a file that cannot be read.

    They begin behind the last column that has a value, and take the header's style. Raises CannotExtend before anything
    is written.
    """
    with closing(Package(upload, filename)) as package:
        book = read_book(package, filename)
        path = book.sheets[extension.header.sheet]
        formats = read_formats(package, book.styles)
        with package.refusals(), closing(shared_strings(package, book.strings)) as strings:
            with package.open(path) as stream:
                last = max((max(cells) for _, cells in sheet_rows(stream, strings, formats)), default=0)
            own = len(extension.header.titles)
            column = max(own - 1, last) + 1
            if column + len(extension.titles) > XLSX_COLUMNS or package.size(path) > SHEET_BYTES // 2:
                raise CannotExtend
            quoted = _count_xfs(package, book.styles)
            new = NewCells(
                column,
                extension.header.row,
                extension.titles,
                extension.rows,
                extension.fitted,
                _writer(quoted),
                has_titles=extension.header.has_titles,
            )
            changed: dict[str, Callable[[bytes], bytes]] = {
                table: lambda xml: _with_columns(xml, new, own) for table in package.targets(path, "table")
            }
            if quoted:
                changed[book.styles] = _with_quoted_style
            changed[book.path] = lambda xml: _with_filter(xml, new, own, extension.header.sheet)
            for info, name in package.members():  # first, for only then the long texts are known
                if package.is_same(name, path):
                    with package.open(name) as stream, target.open(_same(info), "w") as out:
                        for block in extended(stream, new, strings, formats, own=own):
                            out.write(block)
        if next(extension.rows, None) is not None:
            message = f"the sheet '{extension.header.sheet}' has fewer rows than answers"
            raise InvariantBroken(message)
        if extension.long_texts.has_any:
            changed |= extension.long_texts.add_to(target, book, package, after=changed[book.path])
        for info, name in package.members():
            if not package.is_same(name, path):
                edit = next((edit for part, edit in changed.items() if package.is_same(name, part)), None)
                with package.open(name) as stream, target.open(_same(info), "w") as out:
                    _copy(stream, out, edit)


class CannotExtend(Exception):  # caught in XlsxOutput, which writes a workbook of its own
    """The sheet has no room for the new columns, or is too large for Excel to read it from a stream."""


def _copy(stream: IO[bytes], out: IO[bytes], edit: Callable[[bytes], bytes] | None) -> None:
    if edit is None:
        shutil.copyfileobj(stream, out, 1 << 18)
    else:
        out.write(edit(stream.read()))


def _same(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    again = zipfile.ZipInfo(info.filename, info.date_time)
    again.compress_type = info.compress_type
    again.external_attr = info.external_attr
    return again


def _writer(quoted: int | None) -> Callable[[str, Cell, str, str], str]:
    def write(place: str, cell: Cell, prefix: str, style: str) -> str:
        return cell_xml(place, cell, prefix=prefix, style=style, quoted=quoted)

    return write


def _count_xfs(package: Package, path: str) -> int | None:
    """Return the number of the style that will be added, for texts that look like formulas; None without styles."""
    if not path or not package.has(path):
        return None
    with package.open(path) as stream:
        found = _CELL_XFS.search(stream.read())
    return int(found[2]) if found else None


def _with_quoted_style(xml: bytes) -> bytes:
    xml = _CELL_XFS.sub(lambda match: b"%b%d%b" % (match[1], int(match[2]) + 1, match[3]), xml, count=1)
    return _END_CELL_XFS.sub(lambda match: _QUOTED_XF % match[1] + match[0], xml, count=1)


def _with_columns(xml: bytes, new: NewCells, own: int) -> bytes:
    """Return a table's definition with the new columns, if it ends where they begin."""
    wider = _TABLE_TAGS.sub(lambda tag: widened(tag[0], new, own=own), xml)
    if wider == xml or new.column != own:
        return xml
    first = max(map(int, _COLUMN_IDS.findall(xml)), default=0) + 1
    wider = _COLUMNS.sub(lambda match: b"%b%d%b" % (match[1], int(match[2]) + len(new.titles), match[3]), wider)

    def columns(match: re.Match[bytes]) -> bytes:
        each = (
            f'<{match[1].decode()}tableColumn id="{number}" name={quoteattr(title)}/>'.encode()
            for number, title in enumerate(new.titles, first)
        )
        return b"".join(each) + match[0]

    return _END_COLUMNS.sub(columns, wider)


def _with_filter(xml: bytes, new: NewCells, own: int, sheet: str) -> bytes:
    """Return the workbook part, in which the name of the sheet's filter covers the new columns too."""
    old, last = column_letters(own - 1).encode(), column_letters(new.column + len(new.titles) - 1).encode()

    def wider(match: re.Match[bytes]) -> bytes:
        name = unescape(match[1].rpartition(b">")[2].rpartition(b"!")[0].decode(), {"&apos;": "'", "&quot;": '"'})
        is_ours = name.removeprefix("'").removesuffix("'").replace("''", "'") == sheet and match[4] == old
        return b"".join((match[1], match[2], match[3], last if is_ours else match[4], match[5]))

    return _FILTER_NAME.sub(wider, xml)
