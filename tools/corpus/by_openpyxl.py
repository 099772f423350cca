"""Workbooks that openpyxl writes, with what people put around their tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.table import Table as ExcelTable

from tools.corpus.tables import Table, tables


def write(folder: Path) -> None:
    """Write all files."""
    for name, table in tables().items():
        _plain(table).save(folder / f"{name}.xlsx")
        _styled(table).save(folder / f"{name}_styled.xlsx")
        _titled(table).save(folder / f"{name}_titled.xlsx")
        _with_table(table).save(folder / f"{name}_table.xlsx")


def _plain(table: Table, *, above: int = 0) -> Any:
    book = openpyxl.Workbook()
    columns, rows = table
    for number, row in enumerate([columns, *rows], start=above + 1):
        for place, value in enumerate(row, start=1):
            cell = book.active.cell(number, place, value)
            if isinstance(value, str):
                cell.data_type = "s"  # a text that looks like a formula is a text
    return book


def _styled(table: Table) -> Any:
    book = _plain(table)
    sheet = book.active
    sheet.title = "Data & more"
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="FFFF00")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    sheet.column_dimensions["A"].width = 30
    sheet["A2"].comment = Comment("look", "me")
    sheet["A2"].hyperlink = "https://example.com/"
    other = book.create_sheet("Totals")
    other["A1"] = "=COUNTA('Data & more'!A:A)"
    return book


def _titled(table: Table) -> Any:
    book = _plain(table, above=3)
    book.active["A1"] = "Report of the north, by week"
    book.active["A2"] = "made on 21 October"
    return book


def _with_table(table: Table) -> Any:
    book = _plain(table)
    columns, rows = table
    place = f"A1:{get_column_letter(len(columns))}{len(rows) + 1}"
    book.active.add_table(ExcelTable(displayName="Orders", ref=place))
    return book
