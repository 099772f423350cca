"""Parquet: any table comes back with its own schema and values and the new columns; reading goes on at any row."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from batchdrop.adapters.formats.parquet.input import ParquetInput
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.requests.row import Cursor
from tests.formats.office import START, Bytes, answer, parquet_output
from tests.formats.reading import rows_in

NEW = NewColumns(
    answer=(Column("label_"), Column("score_", "number"), Column("count_", "integer"), Column("ok_", "boolean"))
)
ANSWERS = ("good", 0.5, 7, True)
DAYS = st.integers(-(2**31), 2**31 - 1)
TICKS = st.integers(-(2**63), 2**63 - 1)

texts = st.text(st.characters(codec="utf-8"), max_size=8)


plain = st.sampled_from(
    [
        (pa.bool_(), st.booleans()),
        (pa.int8(), st.integers(-128, 127)),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float32(), st.floats(width=32)),
        (pa.float64(), st.floats()),
        (pa.decimal128(20, 4), st.decimals(-(10**15), 10**15, places=4)),
        (pa.decimal256(60, 2), st.decimals(-(10**40), 10**40, places=2)),
        (pa.string(), texts),
        (pa.large_string(), texts),
        (pa.binary(), st.binary(max_size=8)),
        (pa.binary(3), st.binary(min_size=3, max_size=3)),
        (pa.date32(), DAYS),
        (pa.time32("ms"), st.integers(0, 86_399_999)),
        (pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
        (pa.timestamp("ms"), TICKS),
        (pa.timestamp("us", "UTC"), TICKS),
        (pa.timestamp("ns"), TICKS),
        (pa.timestamp("ns", "Europe/Berlin"), TICKS),
        (pa.timestamp("us", "+05:30"), TICKS),
        (pa.duration("ns"), TICKS),
        (pa.null(), st.none()),
    ]
)
# pyarrow neither reads the one nor writes the other inside lists and structs.
outermost = st.sampled_from([(pa.dictionary(pa.int16(), pa.string()), texts), (pa.string_view(), texts)])


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return lists, structs and maps of simpler types."""
    lists = inner.map(lambda one: (pa.list_(one[0]), st.lists(st.none() | one[1], max_size=3)))
    pairs = inner.map(
        lambda one: (pa.map_(pa.string(), one[0]), st.lists(st.tuples(texts, st.none() | one[1]), max_size=2))
    )
    structs = st.tuples(inner, inner).map(
        lambda two: (
            pa.struct([("x", two[0][0]), ("y", two[1][0])]),
            st.fixed_dictionaries({"x": st.none() | two[0][1], "y": st.none() | two[1][1]}),
        )
    )
    return lists | pairs | structs


def array(values: list[Any], kind: Any) -> Any:
    """Return an Arrow array; counts of ticks become times without Python's own narrower types between."""
    if pa.types.is_temporal(kind):
        storage = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values, storage).view(kind)
    if pa.types.is_map(kind):
        flat = [pair for pairs in values if pairs for pair in pairs]
        keys, items = pa.array([k for k, _ in flat], pa.string()), array([v for _, v in flat], kind.item_type)
        return pa.MapArray.from_arrays(_offsets(values), keys, items, kind)
    if pa.types.is_list(kind):
        items = array([item for listed in values if listed for item in listed], kind.value_type)
        return pa.ListArray.from_arrays(_offsets(values), items, kind)
    if pa.types.is_struct(kind):
        children = [array([None if v is None else v[f.name] for v in values], f.type) for f in kind]
        return pa.StructArray.from_arrays(
            children, fields=list(kind), mask=pa.array([v is None for v in values], pa.bool_())
        )
    return pa.array(values, kind)


def _offsets(values: list[Any]) -> Any:
    offsets: list[int | None] = []
    total = 0
    for value in values:
        offsets.append(None if value is None else total)
        total += len(value or ())
    return pa.array([*offsets, total], pa.int32())


@st.composite
def tables(draw: st.DrawFn) -> Any:
    """Return tables of any types, with nulls, as Parquet's own reader gives them back."""
    columns = draw(st.lists(outermost | st.recursive(plain, nested, max_leaves=3), min_size=1, max_size=4))
    length = draw(st.integers(0, 9))
    fields, arrays = [], []
    for number, (kind, values) in enumerate(columns):
        nullable = draw(st.booleans()) or kind == pa.null()
        drawn = draw(st.lists(st.none() | values if nullable else values, min_size=length, max_size=length))
        fields.append(pa.field(f"c{number}", kind, nullable=nullable, metadata={"unit": "m"} if number == 0 else None))
        arrays.append(array(drawn, kind))
    schema = pa.schema(fields, metadata=draw(st.sampled_from([None, {"pandas": '{"x": 1}', "made by": "me"}])))
    return pa.Table.from_arrays(arrays, schema=schema)


def parquet(table: Any, **options: Any) -> bytes:
    """Return a table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def read(body: bytes) -> Any:
    """Return a Parquet file as a table."""
    return pq.ParquetFile(io.BytesIO(body)).read()


def printed(table: Any) -> list[str]:
    """Return a table's columns as text, in which NaN is NaN."""
    return [column.combine_chunks().to_string(window=99) for column in table.columns]


@settings(deadline=None)
@given(tables(), st.integers(1, 4), st.integers(1, 5))
def test_any_table_comes_back_with_new_columns(table: Any, group_rows: int, shard_rows: int) -> None:
    """The schema with its metadata and the values are the input's, however rows are grouped and cut into shards."""
    body = parquet(table, row_group_size=group_rows)
    before = read(body)
    after = read(parquet_output(body, NEW, answer(*ANSWERS), shard_rows=shard_rows))
    own = after.select(before.column_names)
    assert own.schema.equals(before.schema, check_metadata=True)
    assert after.schema.metadata == before.schema.metadata
    assert printed(own) == printed(before)
    assert after.column("score_").to_pylist() == [0.5] * len(table)
    assert after.column("_status").to_pylist() == ["answered"] * len(table)
    assert [str(field.type) for field in after.schema][-6:] == ["string", "double", "int64", "bool", "string", "string"]


@settings(deadline=None)
@given(tables(), st.integers(1, 4))
def test_reading_goes_on_at_every_row(table: Any, group_rows: int) -> None:
    """From each row's cursor the rest is the same."""
    body = parquet(table, row_group_size=group_rows)
    rows = list(rows_in(ParquetInput("f.parquet"), Bytes(body), START))
    assert [row.number for row in rows] == list(range(1, len(table) + 1))
    for number, row in enumerate(rows):
        rest = rows_in(ParquetInput("f.parquet"), Bytes(body), row.start)
        assert [(r.raw, r.start, r.where) for r in rest] == [(r.raw, r.start, r.where) for r in rows[number:]]


@settings(deadline=None)
@given(tables())
def test_cells_are_what_raw_says(table: Any) -> None:
    """A row's JSON gives the same cells back, so that prompts and other formats see one thing."""
    reader = ParquetInput("f.parquet")
    for row in rows_in(reader, Bytes(parquet(table)), START):
        assert row.error is None
        assert reader.cells(row.raw) == row.cells == json.loads(row.raw)
        assert list(row.cells) == reader.columns == table.column_names


@given(st.integers(0, 5))
def test_resume_at_a_cursor_of_the_manifest(skipped: int) -> None:
    """A cursor needs nothing but its numbers."""
    body = parquet(pa.table({"x": list(range(6))}), row_group_size=2)
    rows = rows_in(ParquetInput("f.parquet"), Bytes(body), Cursor(skipped, skipped, skipped))
    assert [row.cells["x"] for row in rows] == list(range(skipped, 6))


def test_decimals_are_their_exact_text() -> None:
    """No decimal passes through a float."""
    [row] = rows_in(ParquetInput("f"), Bytes(parquet(pa.table({"d": [Decimal("1.10")]}))), START)
    assert row.cells == {"d": "1.10"}
