"""Parquet outputs as other engines read them, and Spark's rules for a schema, which is not installed here."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.answers.columns import Column, NewColumns
from tests.formats.office import START, Bytes, answer, parquet_output
from tests.formats.reading import rows_in
from tests.project import ROOT

NEW = NewColumns(
    answer=(Column("label"), Column("sure", "number"), Column("count", "integer"), Column("ok", "boolean"))
)
ANSWERED = answer("gut – 最高", 0.5, 7, *[True])
TABLE = pa.table(
    {
        "id": pa.array([1, 2, None], pa.int32()),
        "text": ["late", None, "最高"],
        "price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
        "day": pa.array([dt.date(2026, 10, 21), None, dt.date(1899, 12, 31)]),
        "at": pa.array([dt.datetime(2026, 10, 21, 1, 2, 3, 4, dt.UTC), None, None], pa.timestamp("us", "UTC")),
        "tags": [["a", "b"], None, []],
        "some": [{"x": 1, "y": "z"}, None, {"x": None, "y": None}],
        "pairs": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "raw": pa.array([b"\0\xff", None, b""], pa.binary()),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
    }
)
OFFICE = [path.name for path in sorted((ROOT / "tests/files/office").glob("*.parquet"))]


def _body(table: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def _duckdb(tmp_path: Path, body: bytes) -> Any:
    (tmp_path / "f.parquet").write_bytes(body)
    return duckdb.sql(f"select * from '{tmp_path / 'f.parquet'}'")


def test_duckdb_reads_it(tmp_path: Path) -> None:
    """All columns, with the values and types of the upload's."""
    before = _duckdb(tmp_path, _body(TABLE)).fetchall()
    after = _duckdb(tmp_path, parquet_output(_body(TABLE), NEW, ANSWERED, shard_rows=2))
    assert [str(kind) for kind in after.types[-6:]] == ["VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "VARCHAR", "VARCHAR"]
    rows = after.fetchall()
    assert [row[: len(TABLE.column_names)] for row in rows] == before
    assert {row[len(TABLE.column_names) : -1] for row in rows} == {("gut – 最高", 0.5, 7, True, "answered")}


def test_polars_reads_it() -> None:
    """Likewise."""
    table = TABLE.drop_columns(["pairs"])  # polars has no maps
    before = pl.read_parquet(io.BytesIO(_body(table)))
    after = pl.read_parquet(io.BytesIO(parquet_output(_body(table), NEW, ANSWERED, shard_rows=2)))
    assert after.select(before.columns).equals(before)
    assert after.get_column("label").to_list() == ["gut – 最高"] * 3


@pytest.mark.parametrize("name", OFFICE)
def test_outputs_of_other_programs_files_are_read_by_both(name: str, tmp_path: Path) -> None:
    """And hold to Spark's rules where the upload does."""
    body = (ROOT / "tests/files/office" / name).read_bytes()
    output = parquet_output(body, NEW, ANSWERED)
    rows = pq.read_metadata(io.BytesIO(body)).num_rows
    assert len(_duckdb(tmp_path, output).fetchall()) == rows
    assert pl.read_parquet(io.BytesIO(output)).height == rows
    assert set(spark_faults(output)) <= set(spark_faults(body))


def test_a_time_with_a_zone_keeps_it(tmp_path: Path) -> None:
    """Where all times of the file have one: a Parquet writer knows one answer for all of them."""
    for name, other in (("one", "1"), ("two", "TIME '09:00:00'")):
        path = tmp_path / f"{name}.parquet"
        duckdb.sql(f"copy (select TIMETZ '10:00:00+00' as at, {other} as other) to '{path}' (format parquet)")
    reader = ParquetInput("f.parquet")
    body = (tmp_path / "one.parquet").read_bytes()
    list(rows_in(reader, Bytes(body), START))
    assert reader.notes == []
    assert [str(kind) for kind in _duckdb(tmp_path, parquet_output(body, NEW, ANSWERED)).types[:2]] == [
        "TIME WITH TIME ZONE",
        "INTEGER",
    ]
    list(rows_in(reader, Bytes((tmp_path / "two.parquet").read_bytes()), START))
    assert reader.notes == ["column 'at' has the Parquet type TIME WITH TIME ZONE; the output has its values as TIME"]


def test_spark_could_read_it() -> None:
    """Whatever Spark can read, it can read again."""
    assert spark_faults(_body(TABLE)) == []
    assert spark_faults(parquet_output(_body(TABLE), NEW, ANSWERED)) == []


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([1], pa.timestamp("ns")), "x: TIMESTAMP(NANOS)"),
        (pa.array([1], pa.time64("us")), "x: TIME"),
        (pa.array([1], pa.uint64()), None),
        (pa.array([Decimal(1)], pa.decimal256(50, 0)), "x: DECIMAL(50) has more than 38 digits"),
    ],
)
def test_the_check_can_fail(column: Any, told: str | None) -> None:
    """It names the column and what Spark says of it."""
    assert spark_faults(_body(pa.table({"x": column}))) == ([told] if told else [])


def spark_faults(body: bytes) -> list[str]:
    """Return what Spark 4 refuses in a Parquet schema, by its ParquetToSparkSchemaConverter.

    It has no TIME, no nanoseconds (INT96 is its own), no INTERVAL, and no decimals of more than 38 digits. It tells
    columns apart without case.
    """
    schema = pq.read_metadata(io.BytesIO(body)).schema
    faults = []
    for number in range(len(schema)):
        column = schema.column(number)
        logical = str(column.logical_type)
        name = logical.partition("(")[0].upper()
        if name == "TIMESTAMP" and "nanoseconds" in logical:
            faults.append(f"{column.path}: TIMESTAMP(NANOS)")
        elif name in {"TIME", "INTERVAL"}:
            faults.append(f"{column.path}: {name}")
        elif name == "DECIMAL" and column.precision > 38:
            faults.append(f"{column.path}: DECIMAL({column.precision}) has more than 38 digits")
    names = [name.casefold() for name in schema.to_arrow_schema().names]
    return [*faults, *(f"{name}: two columns" for name in sorted({name for name in names if names.count(name) > 1}))]
