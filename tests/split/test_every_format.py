"""The same table through every input and output format, as a whole job: equal content."""

from __future__ import annotations

import io
import json

import openpyxl
import pytest
from pyarrow import parquet

from tests.fakes import FakeBatchApi, JsonObject, succeeded
from tests.formats.tables import UPLOADS, jsonl_file, parquet_file, plain, rows_of, table, xlsx_file
from tests.jobs import World, dropped

ROWS = rows_of(30)
RECIPE = """model: claude-haiku-5-5
prompt: "{{ text }}"
answer:
  label: string
  score: number
  count: integer
  good: boolean
  tags: {list: string}
"""


def answer(request: JsonObject) -> JsonObject:
    """Answer by the prompt alone, so that every format gets the same."""
    text = request["params"]["messages"][-1]["content"]
    value = {"label": f"re: {text}", "score": len(text) / 4, "count": len(text), "good": len(text) > 5, "tags": [text]}
    return succeeded(json.dumps(value, ensure_ascii=False))


OUTPUTS = ["csv", "tsv", "jsonl", "json", "parquet", "arrow", "xlsx"]


def _run(name: str, body: bytes, recipe: str) -> World:
    world = dropped(body, key=f"inbox/r/{name}", recipe=recipe, rows=7)
    world.api = FakeBatchApi(result_of=answer)
    assert world.run().tally.answered == len(ROWS)
    return world


def _output(world: World) -> tuple[str, bytes]:
    [(key, body)] = [(key, body) for key, body in world.store.under("results/").items() if "/output." in key]
    return key.rpartition("/")[2], body


EXPECTED = plain(table("f.jsonl", _output(_run("f.jsonl", jsonl_file(ROWS), RECIPE))[1]))


@pytest.mark.parametrize("name", UPLOADS)
def test_every_input_comes_back_in_kind(name: str) -> None:
    """Same format, same compression, same content; the answers typed where the format has types."""
    found, body = _output(_run(name, UPLOADS[name](ROWS), RECIPE))
    assert found == f"output.{name.partition('.')[2]}"
    assert plain(table(found, body)) == EXPECTED


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl", "f.parquet", "f.xlsx"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_can_be_chosen(name: str, output: str) -> None:
    """Whatever came in, the output is what the recipe says, with the same content."""
    found, body = _output(_run(name, UPLOADS[name](ROWS), f"{RECIPE}output: {{format: {output}}}\n"))
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
    """Parquet and xlsx hold numbers and booleans as such; 007 is not a number, =1+1 no formula."""
    found, body = _output(_run("f.parquet", parquet_file(ROWS), RECIPE))
    schema = parquet.read_schema(io.BytesIO(body))
    assert [str(schema.field(name).type) for name in ("label", "score", "count", "good")] == [
        "string", "double", "int64", "bool",
    ]  # fmt: skip
    assert found == "output.parquet"
    _, body = _output(_run("f.xlsx", xlsx_file(ROWS), RECIPE))
    sheet = openpyxl.load_workbook(io.BytesIO(body)).worksheets[0]
    eighth = [(cell.value, cell.data_type) for cell in sheet[9]][:7]
    assert eighth[:2] == [("0007", "s"), ("=1+1", "s")]
    assert [kind for _, kind in eighth[4:7]] == ["n", "n", "b"]
