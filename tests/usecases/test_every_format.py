"""The same table through every input and output format, as a whole job: equal content."""

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
import pytest
import zstandard
from pyarrow import parquet

from tests.fakes import FakeBatchApi, JsonObject, succeeded
from tests.usecases.jobs import World, dropped

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
ROWS = [{"id": f"{number:04d}", "text": TEXTS[number % len(TEXTS)], "note": f"n{number}"} for number in range(30)]
RECIPE = """model: claude-haiku-5-5
prompt: "{{ text }}"
answer:
  label: string
  score: number
  count: integer
  good: boolean
  tags: {list: string}
"""

Table = list[dict[str, Any]]


def answer(request: JsonObject) -> JsonObject:
    """Answer by the prompt alone, so that every format gets the same."""
    text = request["params"]["messages"][-1]["content"]
    value = {"label": f"re: {text}", "score": len(text) / 4, "count": len(text), "good": len(text) > 5, "tags": [text]}
    return succeeded(json.dumps(value, ensure_ascii=False))


def _csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode(encoding)


def _xlsx() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    book.active.append(COLUMNS)
    for number, row in enumerate(ROWS, start=2):
        for place, name in enumerate(COLUMNS, start=1):
            cell = book.active.cell(number, place, row[name])
            cell.data_type = "s"  # "=1+1" is a text here
    book.save(out)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


JSONL = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in ROWS)
UPLOADS: dict[str, Callable[[], bytes]] = {
    "f.csv": _csv,
    "f.tsv": lambda: _csv("\t"),
    "f.jsonl": lambda: JSONL,
    "f.json": lambda: json.dumps(ROWS, ensure_ascii=False, indent=1).encode(),
    "f.parquet": _parquet,
    "f.xlsx": _xlsx,
    "f.csv.gz": lambda: gzip.compress(_csv()),
    "f.jsonl.zst": lambda: zstandard.compress(JSONL),
    "f.tsv.bz2": lambda: bz2.compress(_csv("\t")),
    "utf16.csv": lambda: _csv(encoding="utf-16"),
    "f.parquet.gz": lambda: gzip.compress(_parquet()),
}
OUTPUTS = ["csv", "tsv", "jsonl", "json", "parquet", "xlsx"]


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


def _run(name: str, body: bytes, recipe: str) -> World:
    world = dropped(body, key=f"inbox/r/{name}", recipe=recipe, rows=7)
    world.api = FakeBatchApi(result_of=answer)
    assert world.run().tally.answered == len(ROWS)
    return world


def _output(world: World) -> tuple[str, bytes]:
    [(key, body)] = [(key, body) for key, body in world.store.under("results/").items() if "/output." in key]
    return key.rpartition("/")[2], body


EXPECTED = plain(table("f.jsonl", _output(_run("f.jsonl", JSONL, RECIPE))[1]))


@pytest.mark.parametrize("name", UPLOADS)
def test_every_input_comes_back_in_kind(name: str) -> None:
    """Same format, same compression, same content; the answers typed where the format has types."""
    found, body = _output(_run(name, UPLOADS[name](), RECIPE))
    assert found == f"output.{name.partition('.')[2]}"
    assert plain(table(found, body)) == EXPECTED


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl", "f.parquet", "f.xlsx"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_can_be_chosen(name: str, output: str) -> None:
    """Whatever came in, the output is what the recipe says, with the same content."""
    found, body = _output(_run(name, UPLOADS[name](), f"{RECIPE}output: {{format: {output}}}\n"))
    assert found == f"output.{output}"
    assert plain(table(found, body)) == EXPECTED


def test_text_comes_back_as_csv() -> None:
    """A line has no columns, so it gets one: `text`."""
    body = "".join(f"line {number}\n" for number in range(30)).encode()
    world = _run("f.txt", body, RECIPE)
    rows = table("output.csv", world.result("output.csv"))
    assert [row["text"] for row in rows] == [f"line {number}" for number in range(30)]
    assert rows[3]["label"] == "re: line 3"


def test_typed_columns_are_typed() -> None:
    """Parquet and xlsx hold numbers and booleans as such; 007 is no number, =1+1 no formula."""
    found, body = _output(_run("f.parquet", _parquet(), RECIPE))
    schema = parquet.read_schema(io.BytesIO(body))
    assert [str(schema.field(name).type) for name in ("label", "score", "count", "good")] == [
        "string", "double", "int64", "bool",
    ]  # fmt: skip
    assert found == "output.parquet"
    _, body = _output(_run("f.xlsx", _xlsx(), RECIPE))
    sheet = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0]
    eighth = [(cell.value, cell.data_type) for cell in sheet[9]][:7]
    assert eighth[:2] == [("0007", "s"), ("=1+1", "s")]
    assert [kind for _, kind in eighth[4:7]] == ["n", "n", "b"]
