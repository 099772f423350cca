"""Workbooks that XlsxWriter writes: number formats, both date systems, constant memory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import xlsxwriter

from tools.corpus.tables import tables

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stream": {"constant_memory": True},
    "mac": {"date_1904": True},
}


def write(folder: Path) -> None:
    """Write all files."""
    for name, (columns, rows) in tables().items():
        for kind, options in KINDS.items():
            _book(folder / f"{name}_{kind}.xlsx", [columns, *rows], options)


def _book(path: Path, rows: list[list[Any]], options: dict[str, Any]) -> None:
    book = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "default_date_format": "yyyy-mm-dd", **options})
    money = book.add_format({"num_format": "#,##0.00"})
    sheet = book.add_worksheet("Sheet 1")
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            if isinstance(value, dt.date):
                sheet.write_datetime(number, place, value)
            elif isinstance(value, float):
                sheet.write_number(number, place, value, money)
            elif isinstance(value, str):
                sheet.write_string(number, place, value)
            else:
                sheet.write(number, place, value)
    book.close()
