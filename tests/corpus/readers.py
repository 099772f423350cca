"""Independent readers: tables as duckdb, polars, pyarrow, openpyxl, calamine and the standard library read them."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine
import zstandard

DELIMITERS = ",;\t|"
_COMPRESSED = {".gz": gzip.decompress, ".bz2": bz2.decompress}


class Unread(Exception):  # caught in the judge: the file is then judged by its rows alone
    """None of the independent readers reads the file."""


@dataclass
class Read:
    """What one reader found: the columns, the rows, and the names of all sheets.

    Of text and sheets, `columns` is None, and the rows are all that have a value: titles and the header, too.
    """

    reader: str
    columns: list[str] | None
    rows: list[list[Any]]
    sheets: list[str] = field(default_factory=list)


def unpacked(name: str, body: bytes) -> tuple[str, bytes]:
    """Return a file without its compression, and its ending."""
    path = Path(name)
    if path.suffix in _COMPRESSED:
        return Path(path.stem).suffix[1:].lower(), _COMPRESSED[path.suffix](body)
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
            return Path(path.stem).suffix[1:].lower(), reader.read()
    return path.suffix[1:].lower(), body


def readings(kind: str, body: bytes, scratch: Path) -> list[Read]:
    """Return a table as each independent reader of its format reads it. Raises Unread if none does."""
    found = []
    for read in _READERS.get(kind, ()):
        try:
            found.append(read(body, scratch))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - a reader that refuses the file, or panics, cannot judge it
            continue
    if not found:
        raise Unread(kind)
    return found


def _csv(body: bytes, _scratch: Path, delimiters: str = DELIMITERS) -> Read:
    text = _text(body)
    lines = text[: 1 << 16].splitlines()[:5]
    delimiter = max(delimiters, key=lambda one: min((line.count(one) for line in lines if line), default=0))
    rows = map(list, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    return Read("csv", None, [row for row in rows if len(row) > 1 or any(row)])  # a row of empty cells is a row


def _tsv(body: bytes, scratch: Path) -> Read:
    return _csv(body, scratch, "\t")


def _duckdb_csv(body: bytes, scratch: Path) -> Read:
    path = scratch / "table.csv"
    path.write_bytes(_text(body).encode())
    _, rows = _query(f"select * from read_csv('{path}', all_varchar=true, header=false, strict_mode=true)")
    if len(_filled(rows)) != len(rows):
        raise Unread(path)  # it does not tell empty lines from rows of empty cells
    return Read("duckdb", None, rows)


def _json_lines(body: bytes, _scratch: Path) -> Read:
    rows = [json.loads(line) for line in _text(body).split("\n") if line.strip()]
    return _objects("json", rows)


def _json(body: bytes, _scratch: Path) -> Read:
    return _objects("json", json.loads(_text(body)))


def _objects(reader: str, rows: list[dict[str, Any]]) -> Read:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Read(reader, columns, [[row.get(name) for name in columns] for row in rows])


def _arrow_table(reader: str, table: Any) -> Read:
    return Read(
        reader, table.column_names, [list(row) for row in zip(*(_column(one) for one in table.columns), strict=True)]
    )


def _column(column: Any) -> list[Any]:
    if pa.types.is_temporal(column.type) and "ns" in str(column.type):
        return list(column.cast(pa.int64()).to_pylist())
    return list(column.to_pylist())


def _pyarrow_parquet(body: bytes, _scratch: Path) -> Read:
    return _arrow_table("pyarrow", pq.ParquetFile(io.BytesIO(body)).read())


def _polars_parquet(body: bytes, _scratch: Path) -> Read:
    return _frame(pl.read_parquet(io.BytesIO(body)))


def _duckdb_parquet(body: bytes, scratch: Path) -> Read:
    path = scratch / "table.parquet"
    path.write_bytes(body)
    columns, rows = _query(f"select * from '{path}'")
    return Read("duckdb", columns, rows)


def _query(query: str) -> tuple[list[str], list[list[Any]]]:
    found = duckdb.sql(query)
    assert found is not None
    return found.columns, [list(row) for row in found.fetchall()]


def _pyarrow_ipc(body: bytes, _scratch: Path) -> Read:
    is_file = body.startswith(b"ARROW1")
    return _arrow_table("pyarrow", (pa.ipc.open_file if is_file else pa.ipc.open_stream)(body).read_all())


def _polars_ipc(body: bytes, _scratch: Path) -> Read:
    read = pl.read_ipc if body.startswith(b"ARROW1") else pl.read_ipc_stream
    return _frame(read(io.BytesIO(body)))


def _frame(frame: pl.DataFrame) -> Read:
    return Read("polars", frame.columns, [list(row) for row in frame.rows()])


def _openpyxl(body: bytes, _scratch: Path) -> Read:
    book = openpyxl.load_workbook(io.BytesIO(body), data_only=True)
    sheet = next(sheet for sheet in book.worksheets if sheet.sheet_state == "visible")
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    return Read("openpyxl", None, _filled(rows), book.sheetnames)


def _calamine(body: bytes, _scratch: Path) -> Read:
    book = python_calamine.load_workbook(io.BytesIO(body))
    visible = python_calamine.SheetVisibleEnum.Visible
    at = next(at for at, sheet in enumerate(book.sheets_metadata) if sheet.visible == visible)
    sheet = book.get_sheet_by_index(at)
    left = sheet.start[1] if sheet.start else 0
    rows = [[*[None] * left, *(None if cell == "" else cell for cell in row)] for row in sheet.iter_rows()]
    return Read("calamine", None, _filled(rows), book.sheet_names)


def _filled(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return [own for own in map(list, rows) if any(cell not in {None, ""} for cell in own)]


def _text(body: bytes) -> str:
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return body.decode("utf-16")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252")


def plain(value: Any) -> Any:
    """Return a value as all readers of all formats could have it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    for kind, simple in _PLAIN.items():
        if isinstance(value, kind):
            return simple(value)
    return value


def _number(value: float | Decimal) -> str:
    return "nan" if math.isnan(value) else f"{float(value):.12g}"


# In this order: true is an int to Python, and a datetime a date.
_PLAIN: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: str(value).lower(),
    int: _number,
    float: _number,
    Decimal: _number,
    dt.datetime: lambda value: value.replace(microsecond=0, tzinfo=None).isoformat().removesuffix("T00:00:00"),
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    UUID: lambda value: value.bytes,
    str: lambda value: value.replace("\r\n", "\n") or None,
}

_READERS: dict[str, tuple[Any, ...]] = {
    "csv": (_csv, _duckdb_csv),
    "tsv": (_tsv,),
    "jsonl": (_json_lines,),
    "ndjson": (_json_lines,),
    "json": (_json,),
    "parquet": (_pyarrow_parquet, _polars_parquet, _duckdb_parquet),
    "arrow": (_pyarrow_ipc, _polars_ipc),
    "arrows": (_pyarrow_ipc, _polars_ipc),
    "feather": (_pyarrow_ipc, _polars_ipc),
    "ipc": (_pyarrow_ipc, _polars_ipc),
    "xlsx": (_openpyxl, _calamine),
    "xlsm": (_openpyxl, _calamine),
    "xls": (_calamine,),
    "xlsb": (_calamine,),
    "ods": (_calamine,),
}
