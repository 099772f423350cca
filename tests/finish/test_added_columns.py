"""Everything that was paid for is in the output: thinking, citations, tools, usage, cost and ids, in both lanes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import msgspec
import openpyxl
import pyarrow.parquet
import pytest

from batchdrop.answers.columns import ADDED_KINDS
from batchdrop.errors import RecipeRejected
from batchdrop.live_lane.reply import Answer
from tests.fakes import FakeBatchApi, JsonObject, errored, succeeded
from tests.jobs import JOB, World, dropped, reviews
from tests.live_fakes import FakeMessageApi

ALL = [*ADDED_KINDS]
RECIPE = f"model: claude-haiku-5-5\nprompt: 'ask {{{{ x }}}}'\noutput: {{add: [{', '.join(ALL)}]}}\n"
CITED = {"type": "char_location", "cited_text": "blue", "document_index": 0}
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "sky"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
CONTENT = [
    {"type": "thinking", "thinking": "Let me think.", "signature": "abc"},
    {"type": "redacted_thinking", "data": "xyz"},
    {"type": "text", "text": "I will search."},
    SEARCH,
    FOUND,
    {"type": "text", "text": "The sky is "},
    {"type": "text", "text": "blue", "citations": [CITED]},
]
USAGE = {"input_tokens": 1_000, "output_tokens": 100, "server_tool_use": {"web_search_requests": 0}}


def _result(_request: JsonObject | None = None, **usage: Any) -> JsonObject:
    result = succeeded("", stop_reason="end_turn")
    result["message"] |= {"content": CONTENT, "usage": {**USAGE, **usage}}
    return result


def _world(body: bytes, *, recipe: str = RECIPE, key: str = "inbox/r/f.csv") -> World:
    world = World()
    world.drop(key, body, recipe=recipe)
    world.api = FakeBatchApi(result_of=_result)
    return world


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


def _checked(row: dict[str, Any], *, lane: str) -> None:
    """Compare a row's added columns; `row` has parsed JSON."""
    assert row["answer"] == "The sky is blue"
    assert row["_thinking"] == "Let me think."
    assert row["_citations"] == [{"text": "blue", "citations": [CITED]}]
    assert row["_tool_use"] == [SEARCH, FOUND]
    assert row["_usage"]["output_tokens"] == 100
    assert row["_cost"] == pytest.approx(0.000075 if lane == "batch" else 0.00015)
    assert (row["_stop_reason"], row["_model"]) == ("end_turn", "claude-haiku-5-5")
    assert (row["_custom_id"], row["_status"]) == (f"{JOB}-00000-000000", "answered")


def _parsed(row: dict[str, str]) -> dict[str, Any]:
    typed = {name: json.loads(row[f"_{name}"]) for name, kind in ADDED_KINDS.items() if kind in {"json", "number"}}
    return {**row, **{f"_{name}": value for name, value in typed.items()}}


def test_a_csv_has_every_column_in_the_order_of_the_recipe() -> None:
    """They stand between the answer and the status; lists are JSON text, and the cost is a number."""
    world = _world(b"x\na\n")
    world.run()
    [row] = _rows(world)
    assert [*row] == ["x", "answer", *[f"_{name}" for name in ALL], "_status", "_error"]
    _checked(_parsed(row), lane="batch")


@pytest.mark.parametrize("extension", ["jsonl", "json", "xlsx", "parquet", "tsv"])
def test_every_format_has_them(extension: str) -> None:
    """Each in its own types."""
    world = _world(b"x\na\n", recipe=RECIPE.replace("add:", f"format: {extension}, add:"))
    world.run()
    body = world.result(f"output.{extension}")
    if extension in {"jsonl", "json"}:
        row = json.loads(body)
        _checked(row[0] if isinstance(row, list) else row, lane="batch")
    elif extension == "parquet":
        [row] = pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()
        assert isinstance(row["_cost"], float)
        lists = {name: json.loads(row[name]) for name in ("_citations", "_tool_use", "_usage")}
        _checked({**row, **lists}, lane="batch")
    elif extension == "tsv":
        [row] = csv.DictReader(io.StringIO(body.decode(), newline=""), delimiter="\t")
        _checked(_parsed(row), lane="batch")
    else:
        header, cells = openpyxl.load_workbook(io.BytesIO(body)).active.iter_rows(values_only=True)
        row = dict(zip(header, cells, strict=True))
        assert isinstance(row["_cost"], float)
        lists = {name: json.loads(row[name]) for name in ("_citations", "_tool_use", "_usage")}
        _checked({**row, **lists}, lane="batch")


def test_the_live_lane_has_the_request_id() -> None:
    """The response's header names it; results of a Message Batch do not."""
    message = _result(service_tier="standard")["message"]
    headers = {"request-id": "req_7"}
    world = _world(b"x\na\n", recipe=f"{RECIPE}lane: live\n")
    world.messages = FakeMessageApi(script=lambda _prompt, _before: Answer(msgspec.json.encode(message), headers))
    world.run()
    [row] = _rows(world)
    _checked(_parsed(row), lane="live")
    assert row["_request_id"] == "req_7"


def test_an_error_of_a_message_batch_names_its_request() -> None:
    """Rows without an answer have no cost and no usage; their custom_id still finds them."""
    world = _world(b"x\na\n\n", recipe=RECIPE + "max_rounds: 1\n")
    error = errored("api_error")
    error["error"]["request_id"] = "req_9"
    world.api = FakeBatchApi(result_of=lambda _request: error)
    world.run()
    [row] = _rows(world)
    assert (row["_request_id"], row["_cost"], row["_usage"]) == ("req_9", "", "")
    assert row["_custom_id"] == f"{JOB}-00000-000000"


def test_rows_that_share_an_answer_cost_nothing() -> None:
    """The sum of the column is what the job cost."""
    world = _world(b"x\na\na\n", recipe=RECIPE + "dedupe: true\n")
    summary = world.run()
    costs = [float(row["_cost"]) for row in _rows(world)]
    assert costs == [pytest.approx(0.000075), 0.0]
    assert sum(costs) == pytest.approx(float(summary.cost.usd or 0))


def test_a_model_without_a_price_has_no_cost() -> None:
    """An unknown price is never 0."""
    world = _world(b"x\na\n", recipe="model: m\nprompt: 'ask {{ x }}'\noutput: {add: [cost]}\n")
    world.api = FakeBatchApi(result_of=lambda _request: succeeded("x", model="claude-next"))
    world.run()
    assert _rows(world)[0]["_cost"] == ""


def test_a_rejected_row_has_none_of_them() -> None:
    """It was never sent."""
    world = _world(b'{"x": "a"}\n{"y": 1}\n', key="inbox/r/f.jsonl")
    world.run()
    rejected = json.loads(world.result("output.jsonl").splitlines()[1])
    assert {rejected[f"_{name}"] for name in ALL} == {None}


def test_an_odd_record_still_fills_them() -> None:
    """Half a character in the thinking, and null usage: what can be read is read."""
    world = _world(b"x\na\n")
    world.api.spoil = lambda lines: [line.replace(b"Let me think.", b"Let \\ud83d think.") for line in lines]
    world.run()
    [row] = _rows(world)
    assert (row["_thinking"], row["_status"]) == ("Let � think.", "answered")


@pytest.mark.parametrize(
    ("add", "told"),
    [
        ("[cost, cost]", "names 'cost' twice"),
        ("[costs]", "did you mean 'cost'"),
        ("cost", "write a list"),
    ],
)
def test_a_wrong_name_is_refused(add: str, told: str) -> None:
    """With the key and the nearest name."""
    world = dropped(reviews(1), recipe=f"model: m\nprompt: 'ask {{{{ x }}}}'\noutput: {{add: {add}}}\n")
    with pytest.raises(RecipeRejected, match=told):
        world.split()
