"""One table in every format that batchdrop reads and writes, made and read with other programs' libraries."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow as pa
import zstandard
from pyarrow import feather, parquet

COLUMNS = ["id", "text", "note"]
TEXTS = [
    "plain",
    'He said "no"',
    "a,b;c\td",
    "two\nlines",
    "最高の買い物",
    "naïve – €",
    "007",
    "=1+1",
    " spaced ",
    "🎉",
]

Table = list[dict[str, Any]]


def rows_of(count: int) -> Table:
    """Return so many rows of texts that formats like to spoil."""
    return [
        {"id": f"{number:04d}", "text": TEXTS[number % len(TEXTS)], "note": f"n{number}"} for number in range(count)
    ]


def csv_file(rows: Table, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Return a table as CSV."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def xlsx_file(rows: Table) -> bytes:
    """Return a table as a workbook of texts."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    book.active.append(COLUMNS)
    for number, row in enumerate(rows, start=2):
        for place, name in enumerate(COLUMNS, start=1):
            cell = book.active.cell(number, place, row[name])
            cell.data_type = "s"  # "=1+1" is a text here
    book.save(out)
    return out.getvalue()


def parquet_file(rows: Table) -> bytes:
    """Return a table as Parquet."""
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def jsonl_file(rows: Table) -> bytes:
    """Return a table as JSON Lines."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def arrow_file(rows: Table) -> bytes:
    """Return a table as an Arrow file."""
    out = io.BytesIO()
    feather.write_feather(pa.Table.from_pylist(rows), out)
    return out.getvalue()


UPLOADS: dict[str, Callable[[Table], bytes]] = {
    "f.csv": csv_file,
    "f.tsv": lambda rows: csv_file(rows, "\t"),
    "f.jsonl": jsonl_file,
    "f.json": lambda rows: json.dumps(rows, ensure_ascii=False, indent=1).encode(),
    "f.parquet": parquet_file,
    "f.arrow": arrow_file,
    "f.xlsx": xlsx_file,
    "f.csv.gz": lambda rows: gzip.compress(csv_file(rows)),
    "f.jsonl.zst": lambda rows: zstandard.compress(jsonl_file(rows)),
    "f.tsv.bz2": lambda rows: bz2.compress(csv_file(rows, "\t")),
    "utf16.csv": lambda rows: csv_file(rows, encoding="utf-16"),
    "f.parquet.gz": lambda rows: gzip.compress(parquet_file(rows)),
}


def table(name: str, body: bytes) -> Table:
    """Read an output with other programs' libraries."""
    kind, _, compression = name.partition(".")[2].partition(".")
    body = {"gz": gzip.decompress, "bz2": bz2.decompress, "zst": _unzstd, "": bytes}[compression](body)
    match kind:
        case "csv" | "tsv":
            text = body.decode("utf-16" if body.startswith(b"\xff\xfe") else "utf-8")
            return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if kind == "tsv" else ","))
        case "jsonl":
            return [json.loads(line) for line in body.splitlines()]
        case "json":
            found: Table = json.loads(body)
            return found
        case "parquet":
            rows: Table = parquet.read_table(io.BytesIO(body)).to_pylist()
            return rows
        case "arrow":
            batches: Table = feather.read_table(io.BytesIO(body)).to_pylist()
            return batches
        case _:
            header, *lines = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0].iter_rows(values_only=True)
            return [dict(zip(map(str, header), line, strict=True)) for line in lines]


def _unzstd(body: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body), read_across_frames=True) as reader:
        return reader.read()


def plain(rows: Table) -> Table:
    """Return a table without what formats cannot tell apart: types of values, an apostrophe against formulas."""
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    """Return a value as the poorest format has it."""
    if isinstance(value, str):
        return json.loads(value) if value[:1] in {"[", "{"} else _plain_text(value.removeprefix("'"))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else value


def _plain_text(text: str) -> str | None:
    if text in {"True", "False"} or not text:
        return text.lower() or None
    return f"{float(text):g}" if re.fullmatch(r"[1-9]\d*(\.\d+)?|0\.\d+", text) else text
