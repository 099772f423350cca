"""Small workbooks for tests: by openpyxl, and from bare XML for what no program writes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import openpyxl

from batchdrop.adapters.formats.xlsx.header import SheetOptions
from batchdrop.adapters.formats.xlsx.input import XlsxInput
from batchdrop.adapters.formats.xlsx.output import XlsxOutput
from batchdrop.answers.columns import NewColumns
from batchdrop.requests.row import Row
from tests.formats.office import START, Bytes, Joined, assembled, part_of
from tests.formats.reading import rows_in

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORKBOOK = (
    f'<workbook xmlns:r="{RELATIONS}"><workbookPr%s/>'
    '<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
MEMBERS = {
    "_rels/.rels": f'<Relationships><Relationship Id="a" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="rId1" Type="{RELATIONS}/worksheet" '
    f'Target="worksheets/sheet1.xml"/><Relationship Id="b" Type="{RELATIONS}/sharedStrings" Target="strings.xml"/>'
    f'<Relationship Id="c" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": WORKBOOK % "",
}


def saved(rows: Iterable[Sequence[Any]], *, title: str = "S") -> bytes:
    """Return a workbook of one sheet, as openpyxl saves it."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    return bytes_of(book)


def bytes_of(book: Any) -> bytes:
    """Return an openpyxl workbook as a file."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def raw_book(rows: str, *, strings: str = "", styles: str = "", head: str = "", **members: str) -> bytes:
    """Return a workbook whose sheet holds this XML inside `sheetData`."""
    sheet = f"{head}<worksheet><sheetData>{rows}</sheetData></worksheet>"
    return zipped(
        {
            **MEMBERS,
            "xl/worksheets/sheet1.xml": sheet,
            "xl/strings.xml": f"<sst>{strings}</sst>",
            "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>",
            **members,
        }
    )


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """Return a zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def read(body: bytes, *, sheet: str | None = None) -> list[Row]:
    """Return all rows of a workbook."""
    return list(rows_in(XlsxInput("f.xlsx", options=SheetOptions(sheet)), Bytes(body), START))


def xlsx_output(body: bytes, new: NewColumns, outcome_of: Joined, *, shard_rows: int = 10**9, **options: Any) -> bytes:
    """Return the output of an xlsx upload that is cut into shards of so many rows."""
    reader = XlsxInput("f.xlsx")
    rows = list(rows_in(reader, Bytes(body), START))
    writer = XlsxOutput(new, header=reader.header, **options)
    shards = [rows[start : start + shard_rows] for start in range(0, len(rows), shard_rows)]
    return assembled(writer, [part_of(writer, shard, outcome_of) for shard in shards])


def opened(body: bytes) -> Any:
    """Return a workbook as openpyxl reads it; formulas would show as such."""
    return openpyxl.load_workbook(io.BytesIO(body))


def values(body: bytes, sheet: str = "S") -> list[list[Any]]:
    """Return a sheet's values as openpyxl reads them."""
    return [list(row) for row in opened(body)[sheet].iter_rows(values_only=True)]
