"""Arrow IPC, Feather V2: files and streams keep their schema, their form and their codec."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather

from batchdrop.adapters.formats.arrow import file as arrow_file
from batchdrop.adapters.formats.arrow.slices import slices
from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.errors import UploadRejected
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Output
from batchdrop.requests.row import Cursor, Row
from tests.corpus.mutations import mutated
from tests.corpus.reading import finding
from tests.fakes import FakeBatchApi, succeeded
from tests.formats.office import Bytes, answer, assembled, kept_rows, part_of
from tests.formats.reading import reader_of, rows_in
from tests.jobs import dropped

NEW = NewColumns(answer=(Column("label"), Column("score", "number")))
TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int8()),
        "text": pa.array(["late", None, "最高"], pa.large_string()),
        "seen": pa.array([0.1, None, float("nan")], pa.float32()),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "view": pa.array(["x" * 20, None, "y"], pa.string_view()),
        "views": pa.array([[1, 2], None, []], pa.list_view(pa.int32())),
        "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int16()), pa.array(["r", None])),
        "took": pa.array([(1, 2, 3), None, (0, 0, 0)], pa.month_day_nano_interval()),
        "at": pa.array([1, 2, None], pa.timestamp("ns", "Europe/Berlin")),
        "some": pa.array([{"x": 1, "y": ["z"]}, None, {"x": None, "y": None}]),
    }
).replace_schema_metadata({"made by": "a test"})
FORMS = [(form, codec) for form in ("file", "stream") for codec in ("", "lz4", "zstd")]


def _written(table: Any, form: str = "file", codec: str = "", rows: int = 2, **options: Any) -> bytes:
    out = io.BytesIO()
    new = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with new(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec or None, **options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return out.getvalue()


def _opened(body: bytes) -> Any:
    stream = body.startswith(b"\xff\xff\xff\xff")
    return pa.ipc.open_stream(body) if stream else pa.ipc.open_file(body)


def _values(table: Any) -> str:
    """Return a table's values; as text, for NaN is not equal to itself."""
    at = table.schema.get_field_index("at")
    return str(table.set_column(at, "at", table.column(at).cast(pa.int64())).to_pydict())


def _read(body: bytes, name: str = "f.arrow") -> list[Row]:
    return list(rows_in(reader_of(name), Bytes(body), Cursor()))


def _output(body: bytes, new: NewColumns = NEW, *, shard_rows: int = 2, extension: str = "arrow") -> bytes:
    reader = reader_of(f"f.{extension}")
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    again = reader_of(f"f.{extension}", reader.header)
    key = parse_inbox_key(f"inbox/r/f.{extension}")
    writer = FileFormats().writer(again, key, Output(), new, [Column(name) for name in reader.columns or []])
    assert writer.extension == extension
    shards = [rows[start : start + shard_rows] for start in range(0, len(rows), shard_rows)]
    parts = [part_of(writer, shard, answer("good", 0.5), kept_rows(again, shard)) for shard in shards]
    return assembled(writer, parts)


def test_prompts_get_plain_values() -> None:
    """As from Parquet; types that only Arrow has, too."""
    first, second, _ = _read(_written(TABLE))
    assert first.cells == {
        "id": 1,
        "text": "late",
        "seen": 0.1,
        "kind": "a",
        "view": "x" * 20,
        "views": [1, 2],
        "runs": "r",
        "took": "MonthDayNano(months=1, days=2, nanoseconds=3)",
        "at": "1970-01-01T01:00:00.000000001+01:00",
        "some": {"x": 1, "y": ["z"]},
    }
    assert {name for name, value in second.cells.items() if value is not None} == {"id", "kind", "runs", "at"}


@pytest.mark.parametrize(("form", "codec"), FORMS)
def test_the_output_keeps_schema_form_and_codec(form: str, codec: str) -> None:
    """Whatever Arrow can say, and the file's own key-values; the new columns are typed."""
    body = _written(TABLE, form, codec)
    output = _output(body)
    assert output.startswith(b"ARROW1" if form == "file" else b"\xff\xff\xff\xff")
    assert arrow_file.examined(io.BytesIO(output), "f").codec == codec
    table = _opened(output).read_all()
    own = table.select(TABLE.column_names)
    assert own.schema.equals(TABLE.schema, check_metadata=True)
    assert _values(own) == _values(TABLE)
    assert table.column("score").to_pylist() == [0.5] * 3


def test_a_files_own_key_values_stay() -> None:
    """Those of its footer."""
    out = io.BytesIO()
    with pa.ipc.new_file(out, TABLE.schema, metadata={"k": "v"}) as writer:
        writer.write_table(TABLE)
    assert _opened(_output(out.getvalue())).metadata == {b"k": b"v"}


@pytest.mark.parametrize("form", ["file", "stream"])
def test_reading_goes_on_after_any_row(form: str) -> None:
    """In the middle of a batch."""
    body = _written(TABLE, form)
    reader = reader_of("f.arrow")
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    for row in rows:
        again = list(rows_in(reader_of("f.arrow", reader.header), Bytes(body), row.start))
        assert [one.raw for one in again] == [one.raw for one in rows[row.number - 1 :]]


def test_dictionaries_may_grow_and_change() -> None:
    """A stream replaces them, a file adds to them."""
    first, second = (pa.array(values).dictionary_encode() for values in (["a", "b"], ["a", "b", "c"]))
    other = pa.array(["x", "y"]).dictionary_encode()
    out = io.BytesIO()
    with pa.ipc.new_stream(out, pa.schema([("k", first.type)])) as writer:
        for column in (first, other, second):
            writer.write_batch(pa.record_batch([column], names=["k"]))
    assert _opened(_output(out.getvalue())).read_all().column("k").to_pylist() == [*"abxyabc"]
    grows = pa.table({"k": pa.chunked_array([first, second])})
    output = _output(_written(grows, emit_dictionary_deltas=True), shard_rows=3)
    assert _opened(output).read_all().column("k").to_pylist() == [*"ababc"]


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "feather": lambda table: _by(table, lambda out: feather.write_feather(table, out)),
    "ipc": lambda table: _by(table, lambda out: pl.DataFrame(table).write_ipc(out, compression="zstd")),
    "arrow": lambda table: _by(table, lambda out: pl.DataFrame(table).write_ipc(out)),
    "arrows": lambda table: _by(table, lambda out: pl.DataFrame(table).write_ipc_stream(out)),
}


def _by(_table: Any, write: Callable[[Any], Any]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


@pytest.mark.parametrize("extension", WRITERS)
def test_files_of_other_programs(extension: str) -> None:
    """Feather by pyarrow, and polars; polars reads each output."""
    table = pa.table({"id": [1, 2, 3], "text": ["late", None, "最高"], "tags": [["a"], [], None]})
    output = _output(WRITERS[extension](table), extension=extension)
    read = pl.read_ipc_stream if extension == "arrows" else pl.read_ipc
    assert read(io.BytesIO(output)).rows() == [
        (1, "late", ["a"], "good", 0.5, "answered", None),
        (2, None, [], "good", 0.5, "answered", None),
        (3, "最高", None, "good", 0.5, "answered", None),
    ]


def test_a_job_of_a_feather_file() -> None:
    """And other formats as Arrow."""
    recipe = "model: claude-haiku-5-5\nprompt: '{{ text }}'\n"
    body = _by(TABLE, lambda out: feather.write_feather(pa.table({"text": ["a", "b"]}), out))
    for name, upload, options in (("f.feather", body, ""), ("f.csv", b"text\na\nb\n", "output: {format: arrow}\n")):
        world = dropped(upload, key=f"inbox/r/{name}", recipe=recipe + options, rows=1)
        world.api = FakeBatchApi(result_of=lambda request: succeeded(request["params"]["messages"][0]["content"]))
        assert world.run().tally.answered == 2
        ending = "feather" if name == "f.feather" else "arrow"
        [output] = [body for key, body in world.store.under("results/").items() if key.endswith(f"/output.{ending}")]
        assert _opened(output).read_all().column("answer").to_pylist() == ["a", "b"]


WHOLE = _written(TABLE, codec="zstd")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not an Arrow file"),
        (b"a,b\n1,2\n", "not an Arrow file"),
        (b"FEA1 and so on", "Feather version 1"),
        (WHOLE[:400], "truncated"),
        (WHOLE[:-20], "truncated"),
        (_written(TABLE, "stream")[:600], "truncated|broken"),
        (b"ARROW1\0\0" + WHOLE[-600:], "Arrow file"),
        (_written(pa.table({"x": [1]}).select([])), "no columns"),
    ],
)
def test_what_is_not_arrow_is_refused(body: bytes, told: str) -> None:
    """The message names the file and what is wrong."""
    with pytest.raises(UploadRejected, match=rf"^f\.arrow: .*({told})"):
        _read(body)


def test_a_compressed_bomb_is_refused_before_it_is_unpacked() -> None:
    """By the size that its buffers declare: 400 MB of zeros are 40 KB of zstd."""
    zeros = pa.table({"x": pa.array([0]).take(pa.array([0] * 1_000)), "text": ["a"] * 1_000})
    body = _written(zeros, codec="zstd", rows=1_000)
    declared = struct.pack("<q", 8_000)
    assert declared in body
    with pytest.raises(UploadRejected, match=r"a record batch takes 4,000,0\d\d,\d\d\d bytes"):
        _read(body.replace(declared, struct.pack("<q", 4_000_000_000), 1))


def test_names_and_codecs_that_cannot_be_read_are_refused() -> None:
    """Found by the fuzz: names within structs, too."""
    body = _written(pa.table({"s": [{"größe": 1}]}), "stream")
    with pytest.raises(UploadRejected, match="the Arrow file is broken"):
        _read(body.replace("größe".encode(), b"gr\xff\xff\xff\xffe"))
    for number in (238, 259, 646, 2913, 3420):
        assert finding("arrow", mutated("arrow", 2, number))[1] == ""


def test_wrong_offsets_are_refused() -> None:
    """Before anything is read through them."""
    body = _written(pa.table({"text": ["abc", "def"]}), "stream")
    offsets = struct.pack("<iii", 0, 3, 6)
    assert offsets in body
    with pytest.raises(UploadRejected, match="the Arrow file is broken"):
        _read(body.replace(offsets, struct.pack("<iii", 0, 3_000_000, 6)))


def test_two_columns_of_one_name_are_told_apart() -> None:
    """In the prompt; the file keeps its names."""
    body = _written(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["Notes", "Notes"]))
    reader = reader_of("f.arrow")
    [row] = rows_in(reader, Bytes(body), Cursor())
    assert row.cells == {"Notes": "a", "Notes_2": "b"}
    assert reader.notes == ["names repeat: column 2 'Notes' is 'Notes_2'"]
    assert _opened(_output(body)).schema.names[:2] == ["Notes", "Notes"]


def test_a_dictionary_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dictionaries stay in memory, so all of them together have a limit."""
    monkeypatch.setattr(arrow_file, "MAX_BATCH_BYTES", 10_000)
    words = pa.array([f"{number:0100}" for number in range(200)]).dictionary_encode()
    with pytest.raises(UploadRejected, match="dictionaries take"):
        _read(_written(pa.table({"k": words}), rows=50))


def test_rows_that_share_a_long_value_are_read_in_small_slices() -> None:
    """A view can point at the same megabyte from each row; one row alone may be too large."""
    values = pa.array(["m" * 1_000_000] * 40, pa.string_view())
    assert {slice_.num_rows for slice_ in slices(pa.record_batch([values], names=["text"]), 0, "f")} == {5}
    rows = _read(_written(pa.table({"text": values}), rows=40))
    assert [len(row.cells["text"]) for row in rows] == [1_000_000] * 40
    views = pa.ListViewArray.from_arrays(
        pa.array([0] * 3, pa.int32()),
        pa.array([15_000_000] * 3, pa.int32()),
        pa.array([0], pa.int8()).take(pa.array([0] * 15_000_000)),
    )
    with pytest.raises(UploadRejected, match=r"^f\.arrow row 1: its values take 120,000,000 bytes"):
        _read(_written(pa.table({"n": views})))
