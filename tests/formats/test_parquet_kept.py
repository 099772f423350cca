"""What a Parquet output keeps of a file that another engine wrote."""

from __future__ import annotations

import datetime as dt
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq

from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.answers.columns import Column, NewColumns
from tests.formats.office import START, Bytes, answer, parquet_output
from tests.formats.reading import rows_in
from tests.formats.test_parquet import parquet

WHEN = dt.datetime(2026, 5, 4, 3, 2, 1, 123456)  # noqa: DTZ001 - Spark's INT96 has no zone
NEW = NewColumns(answer=(Column("label"), Column("sure", "number"), Column("count", "integer")))


def _output(body: bytes, new: NewColumns = NEW) -> pq.ParquetFile:
    return pq.ParquetFile(io.BytesIO(parquet_output(body, new, answer(*[None] * len(new.answer)))))


def test_old_timestamps_become_microseconds() -> None:
    """Spark wrote INT96 for years, and does not read nanoseconds."""
    body = parquet(pa.table({"at": pa.array([WHEN, None])}), use_deprecated_int96_timestamps=True)
    reader = ParquetInput("f.parquet")
    rows = list(rows_in(reader, Bytes(body), START))
    assert [row.cells["at"] for row in rows] == ["2026-05-04T03:02:01.123456", None]
    assert reader.notes == ["column 'at' has the Parquet type INT96; the output has its values as TIMESTAMP"]
    written = _output(body)
    assert "timeUnit=microseconds" in str(written.schema.column(0).logical_type)
    assert written.read(["at"]).to_pylist() == [{"at": WHEN}, {"at": None}]


def test_the_footers_key_values_stay() -> None:
    """Also those beside Arrow's own."""
    table = pa.table({"x": ["a"]}).replace_schema_metadata({"geo": '{"version":"1.1.0"}'})
    assert _output(parquet(table)).metadata.metadata[b"geo"] == b'{"version":"1.1.0"}'


def test_key_values_that_pyarrow_hides_stay() -> None:
    """Those that were added after Arrow's schema are in the footer only."""
    out = io.BytesIO()
    with pq.ParquetWriter(out, pa.schema([("x", pa.string())])) as writer:
        writer.write_table(pa.table({"x": ["a"]}))
        writer.add_key_value_metadata({"geo": "{}"})
    assert _output(out.getvalue()).metadata.metadata[b"geo"] == b"{}"


def test_spark_finds_the_new_columns() -> None:
    """It reads the columns that its own key-value lists."""
    key = "org.apache.spark.sql.parquet.row.metadata"
    listed = {"type": "struct", "fields": [{"name": "x", "type": "string", "nullable": True, "metadata": {}}]}
    table = pa.table({"x": ["a"]}).replace_schema_metadata({key: json.dumps(listed)})
    fields = json.loads(_output(parquet(table)).metadata.metadata[key.encode()])["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [
        ("x", "string"),
        ("label", "string"),
        ("sure", "double"),
        ("count", "long"),
        ("_status", "string"),
        ("_error", "string"),
    ]


def test_a_list_of_columns_that_cannot_be_read_is_dropped() -> None:
    """Rather a schema that Spark derives than one that hides the answers."""
    key = "org.apache.spark.sql.parquet.row.metadata"
    table = pa.table({"x": ["a"]}).replace_schema_metadata({key: "{", "other": "y"})
    metadata = _output(parquet(table)).metadata.metadata
    assert key.encode() not in metadata
    assert metadata[b"other"] == b"y"


def test_plain_types_make_no_notes() -> None:
    """What is kept needs no word."""
    reader = ParquetInput("f.parquet")
    table = pa.table({"a": [1], "b": ["x"], "c": [1.5], "d": [WHEN], "e": [[1, 2]], "f": [{"g": True}]})
    list(rows_in(reader, Bytes(parquet(table)), START))
    assert reader.notes == []


def test_two_columns_of_one_name_stay() -> None:
    """The prompt has `Notes` and `Notes_2`; the file keeps its names."""
    body = parquet(pa.Table.from_arrays([pa.array([1]), pa.array(["b"])], names=["Notes", "Notes"]))
    reader = ParquetInput("f.parquet")
    [row] = rows_in(reader, Bytes(body), START)
    assert row.cells == {"Notes": 1, "Notes_2": "b"}
    assert reader.notes == ["names repeat: column 2 'Notes' is 'Notes_2'"]
    written = _output(body)
    assert written.schema_arrow.names[:2] == ["Notes", "Notes"]
    assert [column.to_pylist() for column in written.read().columns[:2]] == [[1], ["b"]]
