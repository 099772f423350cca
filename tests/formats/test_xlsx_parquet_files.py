"""Files that other programs made (tests/files/office/README.md): each is read, and its output is one again."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.adapters.formats.xlsx.input import XlsxInput
from batchdrop.answers.columns import NewColumns
from batchdrop.errors import UploadRejected
from batchdrop.requests.row import Unusable
from tests.formats.office import START, Bytes, answer, parquet_output
from tests.formats.reading import rows_in
from tests.formats.sheets import read, xlsx_output

FILES = Path(__file__).parents[1] / "files" / "office"
NEW = NewColumns()
TEXT = "日本語、改行\nあり"

PARQUET: list[tuple[str, int, dict[str, Any]]] = [
    (
        "pandas_snappy.parquet",
        5,
        {
            "id": 1,
            "text": "Great!",
            "price": 1.5,
            "when": "2026-10-21T14:05:00.123456000",
            "kind": "a",
            "flag": True,
            "key": "v",
        },
    ),
    (
        "pandas_gzip.parquet",
        5,
        {
            "id": 1,
            "text": "Great!",
            "price": 1.5,
            "when": "2026-10-21T14:05:00.123456000",
            "kind": "a",
            "flag": True,
        },
    ),
    (
        "pyarrow_zstd.parquet",
        5,
        {
            "id": 1,
            "text": "Great!",
            "amount": "1.10",
            "tags": ["a", "b"],
            "who": {"name": "A", "age": 1},
            "at": "2026-10-21T16:05:00.123456+02:00",
            "blob": "/wA=",
            "m": {"k": 1},
        },
    ),
    (
        "polars.parquet",
        5,
        {
            "id": 1,
            "text": "Great!",
            "price": 1.5,
            "when": "2026-10-21T14:05:00.123456",
            "kind": "a",
            "tags": ["a"],
            "who": {"name": "A"},
        },
    ),
    (
        "duckdb.parquet",
        2,
        {
            "id": 1,
            "text": "Great!",
            "amount": "1.50",
            "moment": "2026-10-21T14:05:00",
            "day": "2026-10-21",
            "clock": "14:05:00",
            "key": "30313233-3435-3637-3839-616263646566",
            "tags": ["a", "b"],
            "who": {"name": "A", "age": 1},
            "huge": 1.2345678901234567e19,
        },
    ),
]


@pytest.mark.parametrize(("name", "count", "first"), PARQUET)
def test_parquet_of_other_programs(name: str, count: int, first: dict[str, Any]) -> None:
    """Rows are what the program wrote; the output keeps schema, metadata and values."""
    body = (FILES / name).read_bytes()
    rows = list(rows_in(ParquetInput(name), Bytes(body), START))
    assert (len(rows), rows[0].cells) == (count, first)
    before = pq.ParquetFile(io.BytesIO(body)).read()
    after = pq.ParquetFile(io.BytesIO(parquet_output(body, NEW, answer("a"), shard_rows=2))).read()
    own = after.select(before.column_names)
    assert own.schema.equals(before.schema, check_metadata=True)
    assert own.equals(before)
    assert after.column_names[-3:] == ["answer", "_status", "_error"]


XLSX: list[tuple[str, list[dict[str, Any]]]] = [
    (
        "openpyxl.xlsx",
        [
            {"id": 1, "text": "Great!", "price": 1.5, "day": "2026-10-21", "took": "P1DT6H"},
            {"id": 2, "text": "007", "price": 2, "day": "2026-10-21T14:05:00", "took": "01:02:00"},
            {"id": 3, "text": None, "price": "unusable", "day": None, "took": None},
        ],
    ),
    (
        "xlsxwriter.xlsx",
        [
            {"id": 1, "text": "Great!", "price": 1.5, "day": "2026-10-21"},
            {"id": 2, "text": "bold and plain", "price": 2, "day": "2026-10-22"},
            {"id": 3, "text": TEXT, "price": 6, "day": "2026-10-23"},
            {"id": True, "text": None, "price": None, "day": None},
        ],
    ),
    (
        "pandas.xlsx",
        [
            {"column_1": 0, "id": 1, "text": "Great!", "price": 1.5, "when": "2026-10-21T14:05:00.123"},
            {"column_1": 1, "id": 2, "text": "unusable", "price": 2, "when": "2026-10-21T14:05:01.123"},
            {"column_1": 2, "id": 3, "text": TEXT, "price": None, "when": "2026-10-21T14:05:02.123"},
        ],
    ),
    (
        "libreoffice.xlsx",
        [
            {"id": 1, "text": "Great!", "price": 1.5, "day": "2026-10-21", "total": 1.5},
            {"id": 2, "text": "a, b", "price": 2, "day": "2026-10-22", "total": 4},
        ],
    ),
]


@pytest.mark.parametrize(("name", "expected"), XLSX)
def test_workbooks_of_other_programs(name: str, expected: list[dict[str, Any]]) -> None:
    """Rows are what a spreadsheet shows; a formula that nobody computed is unusable. So does the output."""
    body = (FILES / name).read_bytes()
    rows = list(rows_in(XlsxInput(name), Bytes(body), START))
    assert [_known(row.cells) for row in rows] == expected
    again = [row.cells for row in read(xlsx_output(body, NEW, answer("a")))]
    own = [{name: None if value == "unusable" else value for name, value in cells.items()} for cells in expected]
    assert [{name: cells[name] for name in own[0]} for cells in again if cells["_status"] == "answered"] == own


def _known(cells: dict[str, Any]) -> dict[str, Any]:
    return {name: "unusable" if isinstance(value, Unusable) else value for name, value in cells.items()}


def test_a_locked_workbook_cannot_be_read() -> None:
    """A true one, of the program that locks it."""
    with pytest.raises(UploadRejected, match="a password"):
        rows_in(XlsxInput("password.xlsx"), Bytes((FILES / "password.xlsx").read_bytes()), START)
