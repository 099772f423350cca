"""What counts as the answer: a forced tool's input, the text after the last server tool, the JSON in a code fence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import Outcome, of_result
from batchdrop.answers.result_line import ResultLine
from batchdrop.answers.shape import AnswerShape, answer_shape
from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import parse_recipe
from tests.fakes import JsonObject, succeeded

NAME = "recipes/r.yaml"
LABEL = {"label": {"enum": ["good", "bad"]}, "stars": {"type": "integer"}, "why": {"$ref": "#/$defs/Why"}}
RECORD = {
    "name": "record",
    "input_schema": {
        "type": "object",
        "properties": LABEL,
        "required": ["label"],
        "$defs": {"Why": {"type": "array", "items": {"type": "string"}}},
    },
}
NOTE = {"name": "note", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}
SEARCH = {"type": "web_search_20260209", "name": "web_search", "max_uses": 1}
FORCED = {"type": "tool", "name": "record"}
ANY = {"type": "any"}


def _shape(choice: Any, *tools: Any, **keys: Any) -> AnswerShape:
    params = {"tools": list(tools), "tool_choice": choice, **keys.pop("params", {})}
    recipe = parse_recipe({"model": "claude-haiku-5-5", "prompt": "{{ x }}", "params": params, **keys}, name=NAME)
    return answer_shape(recipe, name=NAME)


def _call(value: Any, name: str = "record") -> JsonObject:
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": value}


def _outcome(shape: AnswerShape, *blocks: JsonObject, stop: str = "tool_use") -> Outcome:
    result = succeeded("", stop_reason=stop)
    result["message"]["content"] = list(blocks)
    line = msgspec.json.encode({"custom_id": "j-0-0", "result": result})
    return of_result(msgspec.json.decode(line, type=ResultLine).result, shape)


@pytest.mark.parametrize("choice", [FORCED, ANY])
def test_the_tools_input_fills_typed_columns(choice: Any) -> None:
    """Of its own schema; text before the call is not the answer, and fields that it leaves out are empty."""
    shape = _shape(choice, RECORD)
    assert [(column.name, column.kind) for column in shape.columns.answer] == [
        ("label", "string"),
        ("stars", "integer"),
        ("why", "json"),
    ]
    outcome = _outcome(shape, {"type": "text", "text": "Recording."}, _call({"label": "good", "why": ["taste"]}))
    assert (outcome.status, outcome.values) == ("answered", ("good", None, ["taste"]))
    assert shape.schema is None  # nothing but the tool is sent


def test_an_input_that_breaks_the_schema_is_invalid() -> None:
    """Not every tool is strict; `retry: {invalid: 1}` applies."""
    shape = _shape(FORCED, RECORD, retry={"invalid": 1})
    outcome = _outcome(shape, _call({"label": "fine"}))
    assert (outcome.status, outcome.raw) == ("invalid", '{"label":"fine"}')
    assert not shape.is_valid('{"label":"fine"}')


@pytest.mark.parametrize("stop", ["max_tokens", "refusal", "pause_turn"])
def test_other_stop_reasons_keep_their_status(stop: str) -> None:
    """Only `tool_use` and the usual ends are whole answers."""
    assert _outcome(_shape(FORCED, RECORD), _call({"label": "good"}), stop=stop).status == stop


def test_a_message_without_the_call_is_empty() -> None:
    """The model wrote text, or called another tool."""
    shape = _shape(FORCED, RECORD, NOTE)
    assert _outcome(shape, {"type": "text", "text": "no"}, stop="end_turn").status == "empty"
    assert _outcome(shape, _call({"text": "x"}, "note")).status == "empty"


def test_several_tools_give_json_text() -> None:
    """Their schemas differ, so there is one column; the first call counts."""
    shape = _shape(ANY, RECORD, NOTE)
    outcome = _outcome(shape, _call({"text": "x"}, "note"), _call({"label": "good"}))
    assert (shape.columns.names[0], outcome.status, outcome.values) == ("answer", "answered", ('{"text":"x"}',))


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": "object"},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
        },
    ],
)
def test_a_schema_without_columns_gives_json_text(schema: Any) -> None:
    """The tool may be of the API's own kind, or its schema may contain itself."""
    shape = _shape(FORCED, {"name": "record", "input_schema": schema})
    assert _outcome(shape, _call({"a": [[]]})).values == ('{"a":[[]]}',)


def test_half_a_character_in_the_input_is_replaced() -> None:
    """The call is paid for, so a stray character must not lose it."""
    shape = _shape(FORCED, NOTE | {"name": "record"})
    line = msgspec.json.encode({"custom_id": "j-0-0", "result": succeeded("", stop_reason="tool_use")})
    call = b'{"type":"tool_use","name":"record","input":{"text":"a \\ud83d b"}}'
    result = read_line(line.replace(b'"content":[', b'"content":[' + call + b",")).result
    assert of_result(result, shape).values == ("a � b",)


@pytest.mark.parametrize("choice", [{"type": "auto"}, {"type": "none"}, None, {"type": "tool", "name": "web_search"}])
def test_other_choices_leave_the_answer_text(choice: Any) -> None:
    """A server tool runs at the API, and text follows."""
    shape = _shape(choice, RECORD, SEARCH)
    outcome = _outcome(shape, {"type": "text", "text": "blue"}, stop="end_turn")
    assert (shape.is_typed, outcome.values) == (False, ("blue",))
    assert _outcome(shape, _call({"label": "good"})).status == "tool_use"


@pytest.mark.parametrize(
    ("choice", "keys", "told"),
    [
        ({"type": "tool", "name": "recrd"}, {}, "has no tool 'recrd'; did you mean 'record'?"),
        (FORCED, {"answer": {"label": "string"}}, "key 'answer': 'params.tool_choice' forces a tool"),
        (FORCED, {"output": {"column": "x"}}, "output.column"),
        (
            FORCED,
            {"params": {"output_config": {"format": {"type": "json_schema", "schema": {}}}}},
            "params.output_config.format",
        ),
    ],
)
def test_what_cannot_work_is_refused(choice: Any, keys: Any, told: str) -> None:
    """Before anything is sent."""
    with pytest.raises(RecipeRejected) as caught:
        _shape(choice, RECORD, **keys)
    assert told in str(caught.value)


def test_a_broken_schema_is_refused() -> None:
    """Answers cannot be checked against it, and the API refuses it for each row."""
    with pytest.raises(RecipeRejected, match=r"params\.tools"):
        _shape(FORCED, {"name": "record", "input_schema": {"type": "object", "properties": {"a": {"type": "text"}}}})


SERVER = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}


@pytest.mark.parametrize(
    "kind", ["web_search_tool_result", "code_execution_tool_result", "a_tool_result", "server_tool_use"]
)
def test_the_text_after_the_last_server_tool_is_the_answer(kind: str) -> None:
    """What stands before it announces the tool; text blocks are split where they have citations."""
    texts = [{"type": "text", "text": text} for text in ("I will search.", "Again.", "The sky ", "is blue.")]
    outcome = _outcome(AnswerShape(), texts[0], SERVER, texts[1], {"type": kind}, *texts[2:], stop="end_turn")
    assert (outcome.status, outcome.values) == ("answered", ("The sky is blue.",))
    assert _outcome(AnswerShape(), texts[0], {"type": kind}, stop="end_turn").status == "empty"


TYPED = answer_shape(
    parse_recipe({"model": "m", "prompt": "{{ x }}", "answer": {"label": {"enum": ["good", "bad"]}}}, name=NAME),
    name=NAME,
)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"label":"good"}\n```',
        'Here it is:\n\n```\n{"label": "good"}\n```\nAnything else?',
        '  ```JSON\r\n{"label":"good"}\r\n  ```',
    ],
)
def test_json_in_a_code_fence_is_read(text: str) -> None:
    """Gateways and older models write it; the answer is paid for."""
    outcome = _outcome(TYPED, {"type": "text", "text": text}, stop="end_turn")
    assert (outcome.status, outcome.values) == ("answered", ("good",))


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"label":"fine"}\n```',
        '```\n{"label":"good"}\n```\n```\n{"label":"bad"}\n```',
        "```json\nno\n```",
        "```",
    ],
)
def test_a_fence_without_the_one_answer_is_invalid(text: str) -> None:
    """Two fences are two answers; the whole text stays in `_raw`."""
    outcome = _outcome(TYPED, {"type": "text", "text": text}, stop="end_turn")
    assert (outcome.status, outcome.raw) == ("invalid", text)
