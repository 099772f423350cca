"""Typed answers: the schema is one that the API takes, and what answers is read into its columns, or told why not."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.columns import Column
from batchdrop.answers.shape import AnswerInvalid, AnswerShape, answer_shape, schema_file
from batchdrop.errors import RecipeRejected
from batchdrop.local.claude_api.dice import Dice
from batchdrop.local.claude_api.schema_answers import instance_of
from batchdrop.local.claude_api.schema_rules import schema_fault
from batchdrop.recipe.recipe import Recipe, parse_recipe

NAME = "recipes/r.yaml"
REVIEW = {
    "label": {"enum": ["positive", "negative"], "description": "the tone"},
    "score": "number",
    "stars": "integer?",
    "tags": {"list": "string"},
    "author": {"object": {"name": "string", "known": "boolean?"}, "optional": True},
}


def _recipe(**fields: Any) -> Recipe:
    return parse_recipe({"model": "claude-haiku-5-5", "prompt": "{{ x }}", **fields}, name=NAME)


def _shape(answer: object, schema: object = None, **fields: Any) -> AnswerShape:
    return answer_shape(_recipe(answer=answer, **fields), schema, name=NAME)


def _refusal(answer: object, schema: object = None, **fields: Any) -> str:
    with pytest.raises(RecipeRejected) as caught:
        _shape(answer, schema, **fields)
    text = str(caught.value)
    assert text.startswith(f"{NAME}: ")
    return text.removeprefix(f"{NAME}: ")


def _reason(shape: AnswerShape, text: str) -> str:
    with pytest.raises(AnswerInvalid) as caught:
        shape.read(text)
    assert not shape.is_valid(text)
    return str(caught.value)


SCALARS = st.sampled_from(["string", "number", "integer", "boolean", "string?", "integer?"])
ENUMS = st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True) | st.lists(
    st.integers(-9, 9), min_size=1, max_size=3, unique=True
)
NAMES = st.text(max_size=6).map(str.strip).filter(bool)


def _described(types: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    said = (
        st.fixed_dictionaries({"type": SCALARS})
        | st.fixed_dictionaries({"enum": ENUMS})
        | st.fixed_dictionaries({"list": types})
        | st.fixed_dictionaries({"object": st.dictionaries(NAMES, types, min_size=1, max_size=3)})
    )
    more = st.fixed_dictionaries({}, optional={"optional": st.booleans(), "description": st.text(max_size=5)})
    return st.tuples(said, more).map(lambda both: both[0] | both[1])


ANSWERS = st.dictionaries(NAMES, st.recursive(SCALARS, _described, max_leaves=8), min_size=1, max_size=5)


@given(ANSWERS.filter(lambda answer: schema_file(_recipe(answer=answer)) is None), st.integers(0, 99))
def test_every_answer_is_a_schema_that_the_api_takes(answer: dict[str, Any], seed: int) -> None:
    """Whatever the grammar allows, the API takes its schema, and what the API then answers fills the columns."""
    names = {"_status", "_error", "_raw"}
    if names & answer.keys():
        return
    shape = _shape(answer)
    assert shape.schema is not None
    assert schema_fault(msgspec.json.encode(shape.schema)) is None
    value = instance_of(shape.schema, "", Dice(str(seed)))
    assert shape.read(json.dumps(value)) == tuple(value.values())
    assert [column.name for column in shape.columns.answer] == list(answer)


def test_the_schema_is_closed_and_every_field_required() -> None:
    """No bounds, nothing open, optional as null: what structured outputs keep to best."""
    assert _shape(REVIEW).schema == {
        "type": "object",
        "properties": {
            "label": {"enum": ["positive", "negative"], "description": "the tone"},
            "score": {"type": "number"},
            "stars": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "author": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "known": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
                        },
                        "required": ["name", "known"],
                        "additionalProperties": False,
                    },
                    {"type": "null"},
                ]
            },
        },
        "required": ["label", "score", "stars", "tags", "author"],
        "additionalProperties": False,
    }


def test_columns_have_their_fields_kinds() -> None:
    """One column a field, lists and objects as JSON, and the prefix before every new name."""
    columns = _shape(REVIEW, output={"prefix": "c_"}).columns
    assert columns.answer == (
        Column("c_label", "string"),
        Column("c_score", "number"),
        Column("c_stars", "integer"),
        Column("c_tags", "json"),
        Column("c_author", "json"),
    )
    assert (columns.status, columns.error, columns.raw) == ("c__status", "c__error", "c__raw")


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["a"], "string"), ([1, 2], "integer"), ([1, 2.5], "number"), ([0.5], "number")],
)
def test_an_enums_column_has_its_values_kind(values: list[Any], kind: str) -> None:
    """An enum of numbers is a column of numbers."""
    assert _shape({"a": {"enum": values}}).columns.answer[0].kind == kind


def test_text_answers_have_one_column() -> None:
    """Without `answer`, whatever comes is the answer."""
    shape = answer_shape(_recipe(output={"column": "label", "prefix": "c_"}), name=NAME)
    assert (shape.schema, shape.columns.names) == (None, ("c_label", "c__status", "c__error"))
    assert shape.read("{") == ("{",)
    assert shape.is_valid("{")
    assert answer_shape(_recipe(), name=NAME).columns.names == ("answer", "_status", "_error")


def test_values_come_as_python_has_them() -> None:
    """Null, lists and objects stay; JSON's 1.0 in an integer column is 1."""
    text = '{"score":0.5,"label":"positive","stars":4.0,"tags":["a"],"author":null}'
    values = _shape(REVIEW).read(text)
    assert values == ("positive", 0.5, 4, ["a"], None)
    assert isinstance(values[2], int)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": "meh" * 99}, "'label' must be one of: positive, negative"),
        ({"score": "0.5"}, "'score' must be a number, but it is text"),
        ({"stars": "x" * 99}, "'stars' must be an integer or null, but it is text"),
        ({"stars": 1.5}, "'stars' must be an integer or null, but it is a number"),
        ({"stars": 2**63}, "'stars' is an integer of more than 64 bits"),
        ({"tags": ["a", None]}, "'tags[1]' must be text, but it is null"),
        ({"tags": None}, "'tags' must be a list, but it is null"),
        ({"more": "x" * 99}, "the answer has an unknown field 'more'"),
        ({"x" * 99: 1}, "the answer has an unknown field '" + "x" * 40 + "…'"),
    ],
)
def test_a_broken_answer_names_its_field(change: dict[str, Any], reason: str) -> None:
    """The reason says which field and why, and quotes nothing of the answer."""
    good = {"label": "positive", "score": 1, "stars": None, "tags": [], "author": None}
    shape = _shape(REVIEW)
    assert shape.is_valid(json.dumps(good))
    assert _reason(shape, json.dumps(good | change)) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("Sure! Here is the JSON", "it is not JSON"),
        ('{"label":', "it is not JSON"),
        ("[]", "the answer must be an object, but it is a list"),
        ("null", "the answer must be an object, but it is null"),
        ("{}", "'label' is missing"),
        ('{"label":"positive","score":NaN}', "it is not JSON"),
        ('{"label":"positive","score":1e999}', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('"\ud800"', "it is not JSON"),
    ],
)
def test_what_is_no_object_says_so(text: str, reason: str) -> None:
    """Any text has a reason, and none an exception of another kind."""
    assert _reason(_shape(REVIEW), text).startswith(reason)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, "key 'answer': it is empty"),
        ({"a": None}, "key 'answer.a': it is empty; write string"),
        ({"a": "nubmer"}, "unknown type 'nubmer'; did you mean 'number'?"),
        ({"a": "int"}, "did you mean integer?"),
        ({"a": "array"}, "did you mean {list: string}?"),
        ({"a": 5}, "key 'answer.a': it is a number"),
        ({"a": ["x", "y"]}, "key 'answer.a': it is a list; for an answer that is one of these, write {enum: [x, y]}"),
        ({"a": {}}, "exactly one of type, enum, list, object"),
        ({"a": {"optional": True}}, "it has none of them"),
        ({"a": {"type": "string", "enum": ["x"]}}, "it has type and enum"),
        ({"a": {"enmu": ["x"]}}, "unknown key 'answer.a.enmu'; did you mean 'enum'?"),
        ({"a": {"type": "string", "optional": "yes"}}, "key 'answer.a.optional': it is text; write true or false"),
        ({"a": {"type": "string", "description": 5}}, "key 'answer.a.description': it is a number"),
        ({"a": {"type": {"enum": ["x"]}}}, "key 'answer.a.type': it is a mapping"),
        ({"a": {"enum": []}}, "key 'answer.a.enum': it is empty"),
        ({"a": {"enum": "x"}}, "key 'answer.a.enum': it is text"),
        ({"a": {"enum": ["maybe", True]}}, "YAML reads an unquoted yes, no, on or off as true; quote it"),
        ({"a": {"enum": ["x", None]}}, "a value is empty"),
        ({"a": {"enum": ["x", ["y"]]}}, "a value is a list"),
        ({"a": {"enum": [math.inf]}}, "a value is a number"),
        ({"a": {"enum": ["1", 2]}}, "texts and numbers are mixed"),
        ({"a": {"enum": ["x", "x"]}}, "is listed twice"),
        ({"a": {"list": "strng"}}, "key 'answer.a.list': unknown type 'strng'; did you mean 'string'?"),
        ({"a": {"object": {"b": "x"}}}, "key 'answer.a.object.b': unknown type"),
        ({"a": {"object": "string"}}, "key 'answer.a.object': it is text"),
        ({" a": "string"}, "spaces around"),
        ({"": "string"}, "a field's name"),
        ({"_status": "string"}, "two new columns are called '_status'"),
        ({"_raw": "string"}, "two new columns are called '_raw'"),
        ({f"f{n}": "string?" for n in range(17)}, "17 fields are optional, but the API takes at most 16"),
    ],
)
def test_a_wrong_field_is_named(answer: object, told: str) -> None:
    """Key by key: what is wrong, what was meant, what to write."""
    assert told in _refusal(answer)


def test_deep_answers_are_refused() -> None:
    """No nesting ends in an error of Python's own."""
    deep: Any = "string"
    for level in range(60):
        deep = {"list": deep} if level % 2 else {"object": {"a": deep}}
    assert "nested deeper" in _refusal({"a": deep})


def test_a_typed_answer_has_no_column_of_its_own() -> None:
    """`output.column` beside `answer` is a misunderstanding, so it is told."""
    assert "key 'output.column'" in _refusal(REVIEW, output={"column": "label"})


def test_new_columns_are_distinct() -> None:
    """A text answer's column cannot have a name that is taken."""
    with pytest.raises(RecipeRejected, match="two new columns are called '_error'"):
        answer_shape(_recipe(output={"column": "_error"}), name=NAME)


@pytest.mark.parametrize(
    ("answer", "file"),
    [
        ({"schema": "r.json"}, "r.json"),
        ({"schema": "string"}, None),
        ({"schema": "r.json", "label": "string"}, None),
        ({"schema": {"type": "string"}}, None),
        (None, None),
    ],
)
def test_which_answers_name_a_file(answer: object, file: str | None) -> None:
    """Only the key `schema` alone, with a file's name; a field may be called schema, too."""
    assert schema_file(_recipe(answer=answer)) == file


PASSED_ON = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "array"}}}}


def test_a_schema_in_params_leaves_answers_text() -> None:
    """The recipe's own format is passed on; answers are text, and can still be found valid or not."""
    shape = answer_shape(_recipe(params=PASSED_ON, retry={"invalid": 1}), name=NAME)
    assert (shape.schema, shape.read("{}")) == (None, ("{}",))
    assert (shape.is_valid("[]"), shape.is_valid("{}"), shape.is_valid("x")) == (True, False, False)


def test_two_schemas_are_one_too_many() -> None:
    """The recipe's `answer` and `params.output_config.format` cannot both be asked for."""
    assert "'params.output_config.format' also sets the form" in _refusal(REVIEW, params=PASSED_ON)
    assert "use one of them" in _refusal(REVIEW, params={"output_config": {"format": {"type": "of_tomorrow"}}})


def test_invalid_answers_are_asked_again_only_where_there_is_a_schema() -> None:
    """Without a schema nothing is invalid, and a schema that cannot be used is found before anything is paid."""
    assert "key 'retry.invalid'" in _refusal(None, retry={"invalid": 1})
    broken = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "foo"}}}}
    assert "key 'params.output_config.format.schema'" in _refusal(None, params=broken, retry={"invalid": 1})
    remote = {"output_config": {"format": {"type": "json_schema", "schema": {"$ref": "http://127.0.0.1:9/x"}}}}
    assert "key 'params.output_config.format.schema'" in _refusal(None, params=remote, retry={"invalid": 1})
    assert _shape(REVIEW, retry={"invalid": 5})


def test_an_examples_answer_is_written_in_the_schemas_order() -> None:
    """Optional fields that an example leaves out are null, as the model would write them."""
    written = _shape({"a": "string", "b": "number?", "c": "string"}).written({"c": "é", "a": "x"})
    assert written == '{"a":"x","b":null,"c":"é"}'
