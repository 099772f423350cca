"""Parquet: what prompts see of each type, typed answers, places in errors."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.adapters.formats.parquet.output import ParquetOutput
from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.answers.outcome import Outcome, rejected
from batchdrop.errors import InvariantBroken, UploadRejected
from batchdrop.requests.row import Row
from tests.formats.office import START, Bytes, Target, answer, assembled, parquet_output, part_of
from tests.formats.reading import rows_in

PLAIN = NewColumns()


def parquet(table: Any, **options: Any) -> bytes:
    """Return a table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def rows_of(**columns: Any) -> list[Row]:
    """Return the rows of a Parquet file with these columns."""
    return list(rows_in(ParquetInput("f.parquet"), Bytes(parquet(pa.table(columns))), START))


def cell_of(values: Any) -> Any:
    """Return the only cell of a one-row file."""
    [row] = rows_of(x=values)
    return row.cells["x"]


def ticks(count: int, kind: Any) -> Any:
    """Return one value of a type that is a count."""
    return pa.array([count], pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


@pytest.mark.parametrize(
    ("kind", "count", "text"),
    [
        (pa.date32(), 0, "1970-01-01"),
        (pa.date32(), 20_747, "2026-10-21"),
        (pa.date32(), 2**31 - 1, "+5881580-07-11"),
        (pa.date32(), -(2**31), "-5877641-06-23"),
        (pa.time32("s"), 3_661, "01:01:01"),
        (pa.time32("ms"), 250, "00:00:00.250"),
        (pa.time64("ns"), 1, "00:00:00.000000001"),
        (pa.timestamp("ms"), 1_500, "1970-01-01T00:00:01.500"),
        (pa.timestamp("us"), -1, "1969-12-31T23:59:59.999999"),
        (pa.timestamp("ns"), 10**18 + 1, "2001-09-09T01:46:40.000000001"),
        (pa.timestamp("us", "UTC"), 0, "1970-01-01T00:00:00Z"),
        (pa.timestamp("ms", "+05:30"), 0, "1970-01-01T05:30:00+05:30"),
        (pa.timestamp("ns", "Europe/Berlin"), 10**18, "2001-09-09T03:46:40+02:00"),
        (pa.timestamp("us", "Nowhere/Land"), 0, "1970-01-01T00:00:00Z"),
        (pa.duration("ms"), 90_061_500, "P1DT1H1M1.500S"),
        (pa.duration("s"), -60, "-PT1M"),
        (pa.duration("ns"), 0, "PT0S"),
    ],
)
def test_times_are_iso_text(kind: Any, count: int, text: str) -> None:
    """Every digit of the unit is there, the zone is told, and no year is too far."""
    assert cell_of(ticks(count, kind)) == text


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        (pa.array([0.1], pa.float32()), 0.1),
        (pa.array([float("nan")]), "NaN"),
        (pa.array([float("-inf")], pa.float16()), "-Infinity"),
        (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
        (pa.array([b"\xff\x00"]), "/wA="),
        (pa.array([[1, None]]), [1, None]),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), {"a": 1}),
        (pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())), [["a", 1], ["a", 2]]),
        (pa.array([[(7, "x")]], pa.map_(pa.int64(), pa.string())), [[7, "x"]]),
        (pa.array([{"a": {"b": [True]}}]), {"a": {"b": [True]}}),
        (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), [1, 2]),
        (pa.array([b"0123456789abcdef"], pa.uuid()), "30313233-3435-3637-3839-616263646566"),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.nulls(1), None),
    ],
)
def test_cells_are_natural_values(values: Any, cell: Any) -> None:
    """A prompt sees of each type what JSON can say of it."""
    assert cell_of(values) == cell


def test_a_place_is_a_row() -> None:
    """A Parquet file has no lines."""
    assert [row.place for row in rows_of(x=[1, 2])] == ["row 1", "row 2"]


def test_text_that_is_not_utf8_rejects_its_row_only() -> None:
    """The place names the column; the rows around it go on; the output still has the bytes."""
    text = pa.array([b"ok", b"\xff", b"ok"]).view(pa.string())
    rows = rows_of(n=[1, 2, 3], text=text)
    assert [bool(row.error) for row in rows] == [False, True, False]
    assert rows[1].place == "row 2 column 'text'"
    assert rows[1].raw == '{"n":2,"text":null}'
    body = parquet(pa.table({"n": [1, 2, 3], "text": text}))
    out = pq.ParquetFile(io.BytesIO(parquet_output(body, PLAIN, answer("a")))).read()
    assert out.column("text").combine_chunks().view(pa.binary()).to_pylist() == [b"ok", b"\xff", b"ok"]
    assert out.column("_status").to_pylist() == ["answered", "rejected", "answered"]


def test_columns_are_known_before_the_first_row() -> None:
    """Prompts are checked against the columns before a row is taken, and later without the file."""
    reader = ParquetInput("f.parquet")
    rows_in(reader, Bytes(parquet(pa.table({"a": [1], "": [2]}))), START)
    assert reader.columns == ["a", "column_2"]
    assert ParquetInput("f.parquet", reader.header).columns == ["a", "column_2"]


def test_a_file_without_rows_has_none() -> None:
    """It is for the split to say that there is nothing to ask."""
    assert rows_of(x=pa.array([], pa.string())) == []


KINDS: list[Any] = [
    ("integer", 2**63 - 1, 2**63 - 1, ""),
    ("integer", 2**63, None, "column 'v': 9223372036854775808 does not fit into 64 bits"),
    ("integer", 5.0, 5, ""),
    ("integer", 1.5, None, "column 'v': 1.5 is not a whole number"),
    ("integer", True, None, "column 'v': true is not a whole number"),
    ("number", 3, 3.0, ""),
    pytest.param("number", 10**400, None, "column 'v': 1000", id="huge number"),
    ("number", "1", None, "column 'v': 1 is not a number"),
    ("boolean", False, False, ""),
    ("boolean", "yes", None, "column 'v': yes is neither true nor false"),
    ("string", "x\ud800", "x?", ""),
    ("string", ["a"], '["a"]', ""),
    ("json", {"a": [1]}, '{"a":[1]}', ""),
    ("json", "a", '"a"', ""),
    pytest.param("json", 10**5000, hex(10**5000), "", id="huge json"),
]


@pytest.mark.parametrize(("kind", "given", "written", "note"), KINDS)
def test_a_value_that_does_not_fit_is_noted(kind: ColumnKind, given: Any, written: Any, note: str) -> None:
    """Its cell is null, and the error column has the value and the reason; nothing crashes."""
    new = NewColumns(answer=(Column("v", kind),))
    out = pq.ParquetFile(io.BytesIO(parquet_output(parquet(pa.table({"x": [1]})), new, answer(given)))).read()
    assert out.column("v").to_pylist() == [written]
    told = out.column("_error").to_pylist()[0] or ""
    assert told.startswith(note)
    assert bool(told) == bool(note)


def test_the_column_of_raw_answers_is_kept() -> None:
    """An answer that could not fill its columns stands in the raw column."""
    new = NewColumns(answer=(Column("v", "integer"),), raw="_raw")
    outcome = Outcome("answered", "invalid", raw="no json", error="why")
    out = pq.ParquetFile(io.BytesIO(parquet_output(parquet(pa.table({"x": [1]})), new, lambda _: outcome))).read()
    assert out.to_pylist() == [{"x": 1, "v": None, "_status": "invalid", "_error": "why", "_raw": "no json"}]


def test_other_uploads_give_columns_by_their_kinds() -> None:
    """A CSV's 007 stays 007; typed columns are typed; a row that cannot be taken apart has nulls."""
    columns = [Column("id"), Column("n", "integer"), Column("tags", "json")]
    cells = {"1": {"id": "007", "n": 5, "tags": ["a"]}, "2": None}
    writer = ParquetOutput(PLAIN, columns=columns, cells=cells.__getitem__)
    rows = [Row("1", START), Row("2", START, error="ragged")]
    out = assembled(writer, [part_of(writer, rows, lambda row: rejected("ragged") if row.error else answer("a")(row))])
    assert pq.ParquetFile(io.BytesIO(out)).read().to_pylist() == [
        {"id": "007", "n": 5, "tags": '["a"]', "answer": "a", "_status": "answered", "_error": None},
        {"id": None, "n": None, "tags": None, "answer": None, "_status": "rejected", "_error": "ragged"},
    ]


def test_parts_become_few_row_groups() -> None:
    """The output's row groups do not follow the shards."""
    body = parquet(pa.table({"x": list(range(100))}))
    out = pq.ParquetFile(io.BytesIO(parquet_output(body, PLAIN, answer("a"), shard_rows=7)))
    assert out.metadata.num_row_groups == 1
    assert out.metadata.row_group(0).column(0).compression == "ZSTD"
    assert out.read().column("x").to_pylist() == list(range(100))


def test_no_parts_are_an_empty_table() -> None:
    """The output has the columns even then."""
    writer = ParquetOutput(PLAIN, columns=[Column("x")], cells=lambda _raw: None)
    assert pq.ParquetFile(io.BytesIO(assembled(writer, []))).schema_arrow.names == ["x", *PLAIN.names]


def test_a_column_where_the_output_goes_is_refused() -> None:
    """Nothing of the input is overwritten; the message says what to do."""
    with pytest.raises(UploadRejected, match=r"^f\.parquet: the file already has a column '_error'.*output\.prefix"):
        ParquetOutput(PLAIN, columns=[Column("_error")], cells=lambda _raw: None, filename="f.parquet")


def test_a_sidecar_that_is_missing_or_short_is_our_defect() -> None:
    """Rows are never filled with nothing."""
    body = parquet(pa.table({"x": [1]}))
    reader = ParquetInput("f.parquet")
    rows = list(rows_in(reader, Bytes(body), START))
    writer = ParquetOutput(PLAIN, header=reader.header)
    with pytest.raises(InvariantBroken, match="missing"):
        part_of(writer, rows, answer("a"))
    empty = Target()
    with reader.sidecar(empty):
        pass
    with pytest.raises(InvariantBroken, match="ends 1 rows before"):
        part_of(writer, rows, answer("a"), Bytes(bytes(empty)))


def test_an_error_leaves_the_target_without_an_end() -> None:
    """What a failed part wrote can never be taken for a whole file."""
    writer = ParquetOutput(PLAIN, columns=[Column("x")], cells=lambda _raw: {})
    target = Target()
    with pytest.raises(KeyError), writer.part(target, None):
        raise KeyError
    assert not bytes(target).endswith(b"PAR1") or len(target) <= 4
