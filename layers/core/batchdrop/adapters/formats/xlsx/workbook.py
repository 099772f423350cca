"""Write a workbook as a stream: rows go straight into the ZIP archive, in flat memory and without temporary files.

Every text is an inline string, which no program takes for a formula.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from batchdrop.adapters.formats.open_file import Sink
from batchdrop.adapters.formats.xlsx.cells import Cell
from batchdrop.adapters.formats.xlsx.formats import NumberFormat
from batchdrop.adapters.formats.xlsx.limits import XLSX_ROWS, XLSX_SHEET_NAME_CHARS
from batchdrop.adapters.formats.xlsx.sheet import column_letters

SHEET_BYTES = 1_500_000_000  # of XML; members from 2 GiB need Zip64, which Excel does not read from a stream

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_FIRST_CUSTOM_FORMAT = 164  # Excel reserves the numbers below
_BOLD = 1  # the header's style
_BUFFER = 256 * 1024
# Characters that XML cannot hold or would change, and texts that look like escapes of them.
_MUST_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_FORBIDDEN_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET_HEAD = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_SHEET_TAIL = "</sheetData></worksheet>"


class Workbook:
    """Writes sheets one after another. A full sheet continues in the next one, with the same header.

    `epoch_1904` is the date system of the serial numbers in its cells.
    """

    def __init__(self, sink: Sink, *, epoch_1904: bool = False, escape_formulas: bool = True) -> None:
        self._zip = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)
        self._epoch_1904 = epoch_1904
        self._styles = _Styles(quotes=escape_formulas)
        self._names: list[str] = []
        self._sheet: _Sheet | None = None
        self._name = ""
        self._header: list[str] = []

    def begin_sheet(self, name: str, header: Sequence[str]) -> None:
        """Start a sheet; its name may be changed to one that Excel accepts."""
        self._name, self._header = name, list(header)
        self._next_sheet()

    def add(self, cells: Sequence[Cell]) -> tuple[str, int]:
        """Write a row; return its sheet's name and its row number."""
        assert self._sheet
        if self._sheet.is_full:
            self._next_sheet()
        return self._names[-1], self._sheet.add(cells, self._styles)

    def close(self) -> None:
        """Write the parts that all sheets share, and the end of the archive."""
        self._end_sheet()
        for path, text in self._parts():
            self._zip.writestr(path, _HEAD + text)
        self._zip.close()

    def _next_sheet(self) -> None:
        self._end_sheet()
        self._names.append(sheet_name(self._name, self._names))
        self._sheet = _Sheet(self._zip.open(f"xl/worksheets/sheet{len(self._names)}.xml", "w"), self._header)

    def _end_sheet(self) -> None:
        if self._sheet:
            self._sheet.close()
        self._sheet = None

    def _parts(self) -> list[tuple[str, str]]:
        numbers = range(1, len(self._names) + 1)
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
            for number, name in zip(numbers, self._names, strict=True)
        )
        relations = [("worksheet", f"worksheets/sheet{number}.xml") for number in numbers] + [("styles", "styles.xml")]
        date_system = '<workbookPr date1904="1"/>' if self._epoch_1904 else "<workbookPr/>"
        workbook = (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">{date_system}<bookViews><workbookView/></bookViews>'
            f"<sheets>{sheets}</sheets></workbook>"
        )
        return [
            ("xl/styles.xml", self._styles.xml()),
            ("xl/workbook.xml", workbook),
            ("xl/_rels/workbook.xml.rels", _relations(relations)),
            ("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")])),
            ("[Content_Types].xml", _content_types(numbers)),
        ]


class _Sheet:
    """One sheet's XML, buffered in blocks."""

    def __init__(self, stream: IO[bytes], header: Sequence[str]) -> None:
        self._stream = stream
        self._pieces = [_SHEET_HEAD]
        self._chars = len(_SHEET_HEAD)
        self._written = 0
        self._rows = 0
        self._letters = [column_letters(index) for index in range(len(header))]
        titles = zip(self._letters, header, strict=True)
        self._put([_text(f"{letters}1", title, _BOLD) for letters, title in titles if title])

    @property
    def is_full(self) -> bool:
        return self._rows >= XLSX_ROWS or self._written >= SHEET_BYTES

    def add(self, cells: Sequence[Cell], styles: _Styles) -> int:
        number = self._rows + 1
        places = zip(self._letters, cells, strict=False)
        self._put([_cell(f"{letters}{number}", cell, styles) for letters, cell in places if cell is not None])
        return number

    def close(self) -> None:
        self._pieces.append(_SHEET_TAIL)
        self._flush()
        self._stream.close()

    def _put(self, cells: list[str]) -> None:
        self._rows += 1
        self._pieces.append(f'<row r="{self._rows}">{"".join(cells)}</row>')
        self._chars += len(self._pieces[-1])
        if self._chars >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        self._written += self._stream.write("".join(self._pieces).encode())
        self._pieces, self._chars = [], 0


class _Styles:
    """The cell styles in use: a number format, with or without the mark that keeps a text a text."""

    def __init__(self, *, quotes: bool) -> None:
        self._quotes = quotes
        self._numbers: dict[tuple[NumberFormat, bool], int] = {}
        self._codes: dict[str, int] = {}

    def number(self, number_format: NumberFormat, text: str | None = None) -> int:
        """Return a style's number; 0 for a plain cell."""
        quoted = self._quotes and text is not None and text.startswith(_FORMULA_STARTS)
        if not number_format and not quoted:
            return 0
        return self._numbers.setdefault((number_format, quoted), len(self._numbers) + _BOLD + 1)

    def xml(self) -> str:
        styles = "".join(self._style(*style) for style in self._numbers)
        codes = "".join(f'<numFmt numFmtId="{n}" formatCode={_attribute(code)}/>' for code, n in self._codes.items())
        formats = f'<numFmts count="{len(self._codes)}">{codes}</numFmts>' if codes else ""
        font = '<sz val="11"/><name val="Calibri"/><family val="2"/>'
        plain = 'numFmtId="0" fontId="0" fillId="0" borderId="0"'
        return (
            f'<styleSheet xmlns="{_MAIN}">{formats}'
            f'<fonts count="2"><font>{font}</font><font><b/>{font}</font></fonts>'
            '<fills count="2"><fill><patternFill patternType="none"/></fill>'
            '<fill><patternFill patternType="gray125"/></fill></fills>'
            '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
            f'<cellStyleXfs count="1"><xf {plain}/></cellStyleXfs>'
            f'<cellXfs count="{len(self._numbers) + 2}"><xf {plain} xfId="0"/>'
            f'<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>{styles}</cellXfs>'
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
        )

    def _style(self, number_format: NumberFormat, quoted: bool) -> str:  # noqa: FBT001 - the two of a pair
        if isinstance(number_format, str):
            number_format = self._codes.setdefault(number_format, len(self._codes) + _FIRST_CUSTOM_FORMAT)
        marks = ' applyNumberFormat="1"' if number_format else ""
        marks += ' quotePrefix="1"' if quoted else ""
        return f'<xf numFmtId="{number_format}" fontId="0" fillId="0" borderId="0" xfId="0"{marks}/>'


def sheet_name(name: str, taken: Sequence[str]) -> str:
    """Return a name that Excel accepts and that is not taken: `Q3`, then `Q3 (2)`."""
    plain = _FORBIDDEN_IN_NAMES.sub("_", name).strip("' ")[:XLSX_SHEET_NAME_CHARS] or "Sheet1"
    known = {other.casefold() for other in taken}
    wanted, number = plain, 1
    while wanted.casefold() in known:
        number += 1
        ending = f" ({number})"
        wanted = plain[: XLSX_SHEET_NAME_CHARS - len(ending)] + ending
    return wanted


def cell_xml(place: str, cell: Cell, *, prefix: str = "", style: str = "", quoted: int | None = None) -> str:
    """Return a cell of another program's sheet: text, number or boolean, in a style by its number.

    `quoted` is the style for texts that look like formulas; `prefix` stands before its tags' names.
    """
    if isinstance(cell, str):
        if not style and quoted is not None and cell.startswith(_FORMULA_STARTS):
            style = str(quoted)
        text = f'<{prefix}is><{prefix}t xml:space="preserve">{_escaped(cell)}</{prefix}t></{prefix}is>'
        return f'<{prefix}c r="{place}"{_styled(style)} t="inlineStr">{text}</{prefix}c>'
    mark, value = ("b", int(cell)) if isinstance(cell, bool) else ("n", cell)
    return f'<{prefix}c r="{place}"{_styled(style)} t="{mark}"><{prefix}v>{value}</{prefix}v></{prefix}c>'


def _cell(place: str, cell: Cell, styles: _Styles) -> str:
    number_format: NumberFormat = 0
    kind = "v"
    if isinstance(cell, dict):
        number_format = cell.get("f", 0)
        kind = next((mark for mark in ("e", "d") if mark in cell), "v")
        cell = cell.get(kind)
    if cell is None:
        return ""
    style = styles.number(number_format, cell if isinstance(cell, str) and kind == "v" else None)
    if kind == "v" and isinstance(cell, str):
        return _text(place, cell, style)
    mark = "b" if isinstance(cell, bool) else "n" if kind == "v" else kind
    value = str(int(cell)) if isinstance(cell, bool) else escape(str(cell))
    return f'<c r="{place}"{_styled(style)} t="{mark}"><v>{value}</v></c>'


def _text(place: str, text: str, style: int) -> str:
    return f'<c r="{place}"{_styled(style)} t="inlineStr"><is><t xml:space="preserve">{_escaped(text)}</t></is></c>'


def _styled(style: int | str) -> str:
    return f' s="{style}"' if style else ""


def _escaped(text: str) -> str:
    return escape(_MUST_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", text))


def _attribute(text: str) -> str:
    return quoteattr(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text))


def _relations(targets: list[tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{entries}</Relationships>'


def _content_types(sheets: range) -> str:
    parts = [("workbook", "sheet.main"), ("styles", "styles")]
    parts += [(f"worksheets/sheet{number}", "worksheet") for number in sheets]
    overrides = "".join(
        f'<Override PartName="/xl/{p}.xml" ContentType="{_SHEET_TYPE}.{kind}+xml"/>' for p, kind in parts
    )
    return (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )
