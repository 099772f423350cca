"""A selection of results as a file: CSV, or JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from batchdrop.adapters.formats.csv.output import harmless
from batchdrop.answers.columns import ROW
from batchdrop.cli.ui.results.columns import ResultColumn
from batchdrop.cli.ui.results.table import TableRow

ExportFormat = Literal["csv", "jsonl"]
TOGETHER = 500  # rows in a block


def exported(rows: Iterable[TableRow], columns: Sequence[ResultColumn], format_: ExportFormat) -> Iterator[bytes]:
    """Yield the rows as a UTF-8 file, block by block; `_row` is each row's number in the user's file."""
    names = [ROW, *(column.name for column in columns)]
    written = _csv(columns) if format_ == "csv" else _jsonl(names)
    if format_ == "csv":
        yield _line(names).encode("utf-8", "replace")
    rest = iter(rows)
    while block := list(islice(rest, TOGETHER)):
        yield "".join(map(written, block)).encode("utf-8", "replace")


def _csv(columns: Sequence[ResultColumn]) -> Callable[[TableRow], str]:
    """Return what writes a row. A new cell that a spreadsheet would run as a formula gets an apostrophe."""
    new = [column.is_new for column in columns]

    def written(row: TableRow) -> str:
        cells = (harmless(cell) if is_new else cell for cell, is_new in zip(row.cells, new, strict=True))
        return _line([str(row.row), *cells])

    return written


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _jsonl(names: Sequence[str]) -> Callable[[TableRow], str]:
    def written(row: TableRow) -> str:
        return json.dumps(dict(zip(names, (row.row, *row.cells), strict=True)), ensure_ascii=False) + "\n"

    return written
