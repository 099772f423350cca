"""Texts that are too long for a cell: cut in their place, and whole on a sheet of their own."""

from __future__ import annotations

import posixpath
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import quoteattr

import msgspec

from batchdrop.adapters.formats.xlsx.book import Book
from batchdrop.adapters.formats.xlsx.cells import Cell
from batchdrop.adapters.formats.xlsx.limits import XLSX_CELL_CHARS
from batchdrop.adapters.formats.xlsx.package import Package
from batchdrop.adapters.formats.xlsx.sheet import column_letters
from batchdrop.adapters.formats.xlsx.workbook import cell_xml, sheet_name

LONG_TEXTS = "long texts"
CUT = f"… [cut here; the whole text is on the sheet '{LONG_TEXTS}']"
LONG_HEADER = ("sheet", "row", "column", "piece", "text")

_PIECE = XLSX_CELL_CHARS // 2  # characters of a long text per cell; Excel counts some as two
_PATH = "xl/worksheets/batchdropLongTexts.xml"
_ID = "rIdBatchdropLongTexts"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_SHEET_IDS = re.compile(rb'\bsheetId="(\d+)"')
_NAMESPACE = re.compile(rb'xmlns(?::\w+)?="(http://[^"]*/(?:spreadsheetml/2006/main|ooxml/spreadsheetml/main))"')
_RELATIONS = {
    b"http://purl.oclc.org/ooxml/spreadsheetml/main": "http://purl.oclc.org/ooxml/officeDocument/relationships"
}
_TRANSITIONAL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

Edit = Callable[[bytes], bytes]


def is_long(cell: Cell) -> bool:
    """Return whether a text does not fit into a cell."""
    text = _text_in(cell)
    return len(text) > _PIECE and len(text.encode("utf-16-le")) // 2 > XLSX_CELL_CHARS


def cut(cell: Cell) -> Cell:
    """Return a cell with as much of its text as fits, and a mark."""
    if not is_long(cell):
        return cell
    units = 2 * (XLSX_CELL_CHARS - len(CUT))
    text = _text_in(cell).encode("utf-16-le")[:units].decode("utf-16-le", "ignore") + CUT
    return {**cell, "v": text} if isinstance(cell, dict) else text


class LongTexts:
    """Keeps long texts on disk until their sheet is written."""

    def __init__(self) -> None:
        self._file: Any = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - `__exit__` closes it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def has_any(self) -> bool:
        """Return whether a text was kept."""
        return bool(self._file.tell())

    def keep(self, sheet: str, row: int, column: str, cell: Cell) -> None:
        """Keep a cell's whole text with its place."""
        self._file.write(msgspec.json.encode((sheet, row, column, _text_in(cell))) + b"\n")

    def rows(self) -> Iterator[list[Cell]]:
        """Yield the rows of the sheet, below LONG_HEADER."""
        self._file.seek(0)
        for line in self._file:
            sheet, number, column, text = msgspec.json.decode(line, type=tuple[str, int, str, str])
            for piece, start in enumerate(range(0, len(text), _PIECE), start=1):
                yield [sheet, number, column, piece, text[start : start + _PIECE]]

    def add_to(self, target: zipfile.ZipFile, book: Book, package: Package, *, after: Edit) -> dict[str, Edit]:
        """Write the sheet into another workbook; return the changes of its other parts.

        `after` changes the workbook part first.
        """
        with package.open(book.path) as stream:
            found = _NAMESPACE.search(stream.read())
        namespace = found[1] if found else b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        relations = _RELATIONS.get(namespace, _TRANSITIONAL)
        with target.open(_PATH, "w") as out:
            out.write(b'<worksheet xmlns="%b"><sheetData>' % namespace)
            out.write(_row(1, list(LONG_HEADER)))
            for number, row in enumerate(self.rows(), start=2):
                out.write(_row(number, row))
            out.write(b"</sheetData></worksheet>")
        folder, name = posixpath.split(book.path)
        title = quoteattr(sheet_name(LONG_TEXTS, list(book.sheets)))
        sheet = f'sheet name={title} xmlns:bd="{relations}" bd:id="{_ID}"'
        related = f'Relationship Id="{_ID}" Type="{relations}/worksheet" Target="/{_PATH}"'
        content = f'Override PartName="/{_PATH}" ContentType="{_SHEET_TYPE}"'
        return {
            book.path: lambda xml: _with_last(after(xml), "sheets", f'{sheet} sheetId="{_next_id(xml)}"'),
            posixpath.join(folder, "_rels", f"{name}.rels"): lambda xml: _with_last(xml, "Relationships", related),
            "[Content_Types].xml": lambda xml: _with_last(xml, "Types", content),
        }


def _row(number: int, cells: list[Cell]) -> bytes:
    written = (cell_xml(f"{column_letters(column)}{number}", cell) for column, cell in enumerate(cells))
    return f'<row r="{number}">{"".join(written)}</row>'.encode()


def _next_id(xml: bytes) -> int:
    return max(map(int, _SHEET_IDS.findall(xml)), default=0) + 1


def _with_last(xml: bytes, parent: str, child: str) -> bytes:
    """Return XML with another child at the end of `parent`, in the same namespace prefix."""
    end = re.compile(rb"</((?:\w+:)?)%b>" % parent.encode())
    return end.sub(lambda match: b"<%b%b/>" % (match[1], child.encode()) + match[0], xml, count=1)


def _text_in(cell: Cell) -> str:
    text = cell.get("v") if isinstance(cell, dict) else cell
    return text if isinstance(text, str) else ""
