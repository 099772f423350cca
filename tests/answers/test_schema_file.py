"""Schemas that users bring: what the API refuses is refused first, with place and fix."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.schema_file import checked_schema
from batchdrop.answers.shape import AnswerShape, answer_shape
from batchdrop.errors import RecipeRejected
from batchdrop.local.claude_api.schema_rules import schema_fault
from batchdrop.recipe.recipe import parse_recipe

STRING = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _refusal(schema: object) -> str:
    with pytest.raises(RecipeRejected) as caught:
        checked_schema(schema, name="recipes/r.yaml", file="review.json")
    text = str(caught.value)
    assert text.startswith("recipes/r.yaml: review.json, at '")
    return text.removeprefix("recipes/r.yaml: review.json, ")


def _shape(schema: object) -> AnswerShape:
    fields = {"model": "m", "prompt": "{{ x }}", "answer": {"schema": "review.json"}}
    return answer_shape(parse_recipe(fields, name="r"), schema, name="r")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (None, "at 'its top': a schema must be an object"),
        ([], "at 'its top': a schema must be an object"),
        ({}, "at 'its top': it has no type"),
        (STRING, "it must be an object with properties"),
        (_object(), "it must be an object with properties"),
        ({"type": "object", "properties": {"a": STRING}}, 'add "additionalProperties": false'),
        ({"anyOf": [_object(a=STRING)]}, "it must be an object with properties"),
        (_object(a={"type": "integer", "minimum": 1}), "at 'properties.a.minimum': the API does not take this keyword"),
        (_object(a={"type": "string", "maxLength": 1}), "at 'properties.a.maxLength'"),
        (_object(a={"type": "string", "pattern": "x"}), "at 'properties.a.pattern'"),
        (_object(a={"oneOf": [STRING]}), "at 'properties.a.oneOf': the API does not take this keyword; write 'anyOf'"),
        (_object(a={"not": STRING}), "at 'properties.a.not'"),
        (_object(a={"type": "array", "items": {"type": "object"}}), "at 'properties.a.items': the API takes closed"),
        (_object(a={"type": "array", "items": STRING, "minItems": 2}), "the API takes 0 and 1 only"),
        (_object(a={"type": "string", "format": "phone"}), "at 'properties.a.format': the API does not take 'phone'"),
        (_object(a={"enum": []}), "at 'properties.a.enum'"),
        (_object(a={"enum": [{}]}), "at 'properties.a.enum'"),
        (_object(a={"type": "text"}), "at 'properties.a.type': unknown type 'text'"),
        (_object(a=True), "at 'properties.a': a schema must be an object"),
        (_object(a={"anyOf": STRING}), "at 'properties.a.anyOf': it must be a list of schemas"),
        (_object(a={"anyOf": []}), "at 'properties.a.anyOf'"),
        (_object(a={"anyOf": [STRING, {"type": "x"}]}), "at 'properties.a.anyOf.1.type'"),
        (_object(a={"$ref": "http://example.com/x"}), "into the same file only"),
        (_object(a={"$ref": "#/$defs/no"}), "there is nothing at '#/$defs/no'"),
        (_object(a={"$ref": "#"}), "into the same file only"),
        (_object(a={"$ref": "#/properties/a"}), "contains itself"),
        (_object(a={**STRING, "description": 5}), "at 'properties.a.description'"),
        ({**_object(a=STRING), "required": ["b"]}, "at 'required': 'b' is not a property"),
        ({**_object(a=STRING), "required": "a"}, "at 'required'"),
        ({**_object(a=STRING), "required": 1}, "at 'required': it must be a list"),
        ({**_object(a=STRING), "required": False}, "at 'required': it must be a list"),
        ({**_object(a=STRING), "$defs": {"x": {"type": "foo"}}}, "at '$defs.x.type'"),
        ({**_object(a=STRING), "properties": []}, "at 'properties': it must be an object of schemas"),
        (_object(**{f"f{n}": {"type": ["string", "null"]} for n in range(17)}), "17 places allow more than one type"),
        ({**_object(**{f"f{n}": STRING for n in range(25)}), "required": []}, "25 properties are not required"),
    ],
)
def test_what_the_api_refuses_is_refused(schema: object, told: str) -> None:
    """Every refusal says where in the file, why, and what to do."""
    assert told in _refusal(schema)


def test_definitions_are_followed() -> None:
    """References into the same file are taken, as often as they are used, and give columns their kinds."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"mood": {"enum": ["good", "bad", None]}, "pair": _object(a={"$ref": "#/$defs/mood"})},
        **_object(
            first={"$ref": "#/$defs/mood"},
            second={"$ref": "#/$defs/pair"},
            third={"type": ["integer", "null"]},
            fourth={"anyOf": [{"type": "number"}, {"type": "integer"}, {"type": "null"}]},
            fifth={"anyOf": [STRING, {"type": "number"}]},
        ),
        "required": ["first"],
    }
    shape = _shape(schema)
    assert [column.kind for column in shape.columns.answer] == ["string", "json", "integer", "number", "json"]
    assert shape.read('{"first":"good","second":{"a":null}}') == ("good", {"a": None}, None, None, None)
    assert "$schema" not in (shape.schema or {})


def test_a_whole_schema_may_be_a_reference() -> None:
    """Generators put even the top into `$defs`."""
    schema = {"$ref": "#/$defs/Review", "$defs": {"Review": _object(a=STRING)}}
    assert _shape(schema).read('{"a":"x"}') == ("x",)


def test_many_references_are_checked_quickly() -> None:
    """Each definition is looked at once, however many ways lead to it."""
    names = [f"d{n}" for n in range(20)]
    defs = {
        name: _object(a={"$ref": f"#/$defs/{following}"}, b={"$ref": f"#/$defs/{following}"})
        for name, following in pairwise(names)
    }
    schema = {**_object(a={"$ref": "#/$defs/d0"}), "$defs": {**defs, names[-1]: STRING}}
    assert checked_schema(schema, name="r", file="f") == schema


WORDS = st.sampled_from(
    [
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "items",
        "properties",
        "required",
        "additionalProperties",
        "minimum",
        "minItems",
        "format",
        "$ref",
        "$defs",
        "description",
        "pattern",
        "not",
        "a",
    ]
)
VALUES = st.sampled_from([*("object", "array", "string", "null", "date", "#/$defs/a", "#"), False, 0, 1, 2, None, "a"])
LOOSE = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(WORDS, LOOSE, max_size=6).map(lambda schema: _object(a=schema)) | LOOSE)
def test_what_is_taken_here_the_api_takes(schema: Any) -> None:
    """Whatever a file holds, it is either refused in words, or the API takes it."""
    try:
        taken = checked_schema(schema, name="r", file="f")
    except RecipeRejected:
        return
    assert schema_fault(msgspec.json.encode(taken)) is None
