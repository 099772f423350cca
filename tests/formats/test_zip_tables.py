"""A ZIP archive of several tables with one header is one job."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from batchdrop.errors import UploadRejected
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import Cursor
from tests.fakes import FakeBatchApi, succeeded
from tests.formats.reading import Bytes, reader_of, rows_in
from tests.formats.sheets import saved
from tests.formats.tables import table
from tests.jobs import World, dropped

ROWS = [{"nr": 1, "text": "late"}, {"nr": 2, "text": "early"}]
MORE = [{"nr": 3, "text": '最高, "ok"'}]
RECIPE = "model: claude-haiku-5-5\nprompt: '{{ text }}'\n"


def _zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def _csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    quoted = [[str(value).replace('"', '""') for value in row.values()] for row in rows]
    lines = [delimiter.join(rows[0]), *(delimiter.join(f'"{cell}"' for cell in row) for row in quoted)]
    return ("\n".join(lines) + "\n").encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def _feather(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    feather.write_feather(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _job(body: bytes, recipe: str = RECIPE) -> tuple[World, str, bytes]:
    world = dropped(body, key="inbox/r/f.zip", recipe=recipe, rows=2)
    world.api = FakeBatchApi(result_of=lambda request: succeeded(request["params"]["messages"][0]["content"].upper()))
    world.run()
    [(key, output)] = [(key, body) for key, body in world.store.under("results/").items() if "/output." in key]
    return world, key.rpartition("/")[2], output


KINDS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "csv": _csv,
    "tsv": lambda rows: _csv(rows, "\t"),
    "jsonl": _lines,
    "json": lambda rows: json.dumps(rows, indent=1).encode(),
    "parquet": _parquet,
    "arrow": _feather,
    "xlsx": lambda rows: saved([[*rows[0]], *([*row.values()] for row in rows)]),
}
OUTPUTS = {"json": "output.jsonl"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_is_one_table(kind: str) -> None:
    """Of the tables' format, in the archive's order; the last of their own columns names each row's file."""
    body = _zipped(**{f"b__{kind}": KINDS[kind](ROWS), f"a__{kind}": KINDS[kind](MORE)})
    world, output, content = _job(body)
    assert output == OUTPUTS.get(kind, f"output.{kind}")
    rows = table(output, content)
    assert [str(row["nr"]) for row in rows] == ["1", "2", "3"]
    assert [row["_file"] for row in rows] == [f"b.{kind}", f"b.{kind}", f"a.{kind}"]
    assert [row["answer"] for row in rows] == ["LATE", "EARLY", '最高, "OK"']
    assert [*rows[0]][:4] == ["nr", "text", "_file", "answer"]
    assert world.manifest.notes[0] == (
        f"the archive holds 2 tables, from b.{kind} to a.{kind}; the column '_file' names each row's"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_reading_goes_on_after_any_row(kind: str) -> None:
    """In any file of the archive, with the header that the manifest keeps."""
    body = _zipped(**{f"b__{kind}": KINDS[kind](ROWS), f"a__{kind}": KINDS[kind](MORE)})
    reader = reader_of("f.zip")
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    assert [row.number for row in rows] == [1, 2, 3]
    for row in rows:
        again = list(rows_in(reader_of("f.zip", reader.header), Bytes(body), row.start))
        assert [(one.raw, one.start, one.where) for one in again] == [
            (one.raw, one.start, one.where) for one in rows[row.number - 1 :]
        ]


def test_a_split_stops_and_goes_on() -> None:
    """An invocation may end in any file."""
    body = _zipped(**{f"t{number}__csv": _csv(ROWS) for number in range(6)})
    world = dropped(body, key="inbox/r/f.zip", recipe=RECIPE, rows=1)
    while not world.split(looks=4).finished:
        pass
    assert [row["row"] for row in world.stored_rows()][:1] == [1]
    assert world.manifest.rows == 12


def test_the_file_is_a_column_for_prompts_and_rejects() -> None:
    """A message names the file and the row in it."""
    body = _zipped(jan__csv=b"nr,text\n1,late\n2\n", feb__csv=b"nr,text\n3,early\n,\n4,,,x\n")
    recipe = RECIPE.replace("{{ text }}", "{{ _file }}: {{ text }}")
    _, _, output = _job(body, recipe)
    lines = output.decode().splitlines()
    assert lines[:2] == ["nr,text,_file,answer,_status,_error", "1,late,jan.csv,JAN.CSV: LATE,answered,"]
    assert lines[2].startswith('2,,jan.csv,,rejected,"jan.csv line 3: it has 1 cell, the header has 2')
    assert lines[3:5] == [
        "3,early,feb.csv,FEB.CSV: EARLY,answered,",
        ",,feb.csv,,rejected,feb.csv line 3: the row is empty",
    ]
    assert lines[5].startswith("4,,feb.csv,,rejected,")


def test_other_dialects_and_encodings_become_the_first_files() -> None:
    """Of delimited files, the cells count."""
    other = 'nr;text\n3;schön, "ja"\n'.encode("cp1252")
    options = Input(encoding="cp1252")
    reader = reader_of("f.zip", options=options)
    body = _zipped(a__csv=b"nr,text\r\n1,late\r\n", b__csv=other)
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    assert [row.raw for row in rows] == ["1,late,a.csv", '3,"schön, ""ja""",b.csv']


def test_texts_beside_tables_are_not_read_and_said() -> None:
    """System files are not even mentioned; texts alone are tables of lines."""
    body = _zipped(
        **{
            "__MACOSX/._t.csv": b"x",
            ".DS_Store": b"x",
            "README.txt": b"read me",
            "logo.png": b"x",
            "t/a__csv": _csv(ROWS),
        }
    )
    world, name, _ = _job(body)
    assert name == "output.csv"
    assert world.manifest.columns[-1].name == "text"
    assert world.manifest.notes == ["the table is t/a.csv in the archive", "not read: README.txt, logo.png"]
    _, name, output = _job(_zipped(a__txt=b"one\ntwo, 2\n", b__txt=b"three\n"))
    assert (name, output.splitlines()[2]) == ("output.csv", b'"two, 2",a.txt,"TWO, 2",answered,')


def test_a_table_without_a_header_is_numbered() -> None:
    """The output has a header, for the new columns."""
    _, _, output = _job(
        _zipped(a__csv=b"1,late\n", b__csv=b"2,early\n"),
        RECIPE.replace("text", "column_2") + "input: {header: false}\n",
    )
    assert output.splitlines()[:2] == [b"column_1,column_2,_file,answer,_status,_error", b"1,late,a.csv,LATE,answered,"]


def test_workbooks_are_joined_with_their_types() -> None:
    """Dates stay dates; titles over a header are found in each."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["A title here"], ["nr", "text"], [5, "five"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    _, name, output = _job(_zipped(a__xlsx=KINDS["xlsx"](ROWS), b__xlsx=out.getvalue()))
    assert [row["nr"] for row in table(name, output)] == [1, 2, 5]


def test_parquet_keeps_its_types() -> None:
    """Of all files the same schema."""
    typed = pa.table({"text": ["a"], "n": pa.array([1], pa.int16()), "k": pa.array(["x"]).dictionary_encode()})
    bodies = []
    for _ in range(2):
        out = io.BytesIO()
        pq.write_table(typed, out)
        bodies.append(out.getvalue())
    _, _, output = _job(_zipped(a__parquet=bodies[0], b__parquet=bodies[1]))
    found = pq.read_table(io.BytesIO(output))
    assert found.schema.field("n").type == pa.int16()
    assert found.column("_file").to_pylist() == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a__csv": b"nr,text\n1,x\n", "b__csv": b"nr,txt\n1,x\n"}, "b.csv has no column 'text', unlike a.csv"),
        ({"a__csv": b"nr,text\n1,x\n", "b__csv": b"nr,text,more\n1,x,y\n"}, "b.csv has another column, 'more'"),
        ({"a__csv": b"nr,text\n1,x\n", "b__csv": b"text,nr\nx,1\n"}, "b.csv has the column 'text' in another place"),
        ({"a__csv": b"nr,text\n1,x\n", "b__xlsx": saved([["nr", "text"], [1, "x"]])}, "b.xlsx is xlsx, not csv"),
        (
            {"a__parquet": _parquet([{"text": 1}]), "b__parquet": _parquet(MORE[:1])},
            "b.parquet has another column, 'nr'",
        ),
        (
            {"a__parquet": _parquet([{"text": 1}]), "b__parquet": _parquet([{"text": "x"}])},
            "'text' as string, not as int64",
        ),
        ({"a__csv": b"nr,text,_file\n1,x,\n", "b__csv": b"nr,text,_file\n1,x,\n"}, "a.csv has a column '_file'"),
        ({"a__pdf": b"x", "b__png": b"x"}, "the archive holds 2 files, and no table. Zip tables"),
    ],
)
def test_what_is_no_table_together_is_refused(files: dict[str, bytes], told: str) -> None:
    """With the file and the column, before anything is sent."""
    with pytest.raises(UploadRejected, match=rf"^f\.zip: .*{told}"):
        dropped(_zipped(**files), key="inbox/r/f.zip", recipe=RECIPE).split()


def test_rows_of_json_may_have_any_fields() -> None:
    """But not that of the file's name."""
    rows = list(
        rows_in(
            reader_of("f.zip"), Bytes(_zipped(a__jsonl=b'{"text":"a"}\n{}\nx\n', b__jsonl=b'{"_file":1}\n')), Cursor()
        )
    )
    assert [row.raw for row in rows[:3]] == ['{"text":"a","_file":"a.jsonl"}', '{"_file":"a.jsonl"}', "x"]
    assert rows[3].error is not None
    assert "it has a field '_file'" in rows[3].error
