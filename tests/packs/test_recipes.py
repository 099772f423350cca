"""Recipes with packs: what does not go with them is refused before anything is sent, with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.answers.pack_schema import pack_schema
from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import parse_recipe

NAME = "recipes/r.yaml"
GOOD: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "system": "Label it.",
    "prompt": "{{ x }}",
    "answer": {"label": "string"},
    "pack": 20,
}
TURNS = [{"role": role, "content": "{{ x }}"} for role in ("user", "assistant", "user")]


@pytest.mark.parametrize("pack", [2, 100, "auto"])
def test_sizes_that_are_taken(pack: object) -> None:
    """From two rows on, or what is measured to pay."""
    assert parse_recipe({**GOOD, "pack": pack}, name=NAME).pack == pack


@pytest.mark.parametrize("pack", [0, 1, 101, "many", 2.5, True])
def test_sizes_that_are_refused(pack: object) -> None:
    """The key is named."""
    with pytest.raises(RecipeRejected, match="pack"):
        parse_recipe({**GOOD, "pack": pack}, name=NAME)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"answer": None}, "key 'pack': a pack needs an answer with fields"),
        ({"system": None}, "move the instruction to 'system'"),
        ({"answer": {"row": "integer"}}, "key 'answer.row'.*give the field another name"),
        ({"attach": {"column": "path", "as": "image"}}, "key 'attach'.*remove 'attach' or 'pack'"),
        ({"input": "files"}, "key 'input'.*remove 'input: files' or 'pack'"),
        ({"model": "{{ model }}"}, "key 'model'.*write one value"),
        ({"max_tokens": "{{ n }}"}, "key 'max_tokens'.*write one value"),
        ({"prompt": None, "messages": TURNS}, "key 'messages'.*write 'prompt' and 'examples'"),
        ({"params": {"tools": []}}, "key 'params.tools'"),
        ({"pilot": True}, "key 'pilot': the first packs prove the recipe"),
        ({"output": {"add": ["thinking"]}}, "one 'thinking' for all its rows"),
    ],
)
def test_what_does_not_go_with_packs(change: dict[str, Any], advice: str) -> None:
    """Each fault says what to do."""
    fields = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(RecipeRejected, match=advice):
        parse_recipe(fields, name=NAME)


def test_a_schema_stands_inside_the_packs() -> None:
    """Definitions move to the top, and the row's number comes first."""
    own = {
        "type": "object",
        "properties": {"label": {"$ref": "#/$defs/label"}},
        "required": ["label"],
        "additionalProperties": False,
        "$defs": {"label": {"enum": ["a", "b"]}},
    }
    schema = pack_schema(own, name=NAME)
    item = schema["properties"]["rows"]["items"]
    assert schema["$defs"] == own["$defs"]
    assert "$defs" not in item
    assert [*item["properties"]] == ["row", "label"]
    assert item["required"] == ["row", "label"]


@pytest.mark.parametrize(("name", "ref"), [("row", "#/$defs/a"), ("label", "#/properties/other")])
def test_a_schema_that_cannot_stand_inside_another(name: str, ref: str) -> None:
    """A field called 'row', or a reference to another place than the definitions."""
    own = {
        "type": "object",
        "properties": {"other": {"type": "string"}, name: {"$ref": ref}},
        "$defs": {"a": {"type": "string"}},
    }
    with pytest.raises(RecipeRejected, match=NAME):
        pack_schema(own, name=NAME)


GROUPED = {"rows": 20, "by": "contract_id", "shared": "{{ contract }}"}


@pytest.mark.parametrize("rows", [2, "auto"])
def test_packs_of_one_text(rows: object) -> None:
    """The mapping has the number of rows, the column and the text."""
    recipe = parse_recipe({**GOOD, "pack": {**GROUPED, "rows": rows}}, name=NAME)
    assert recipe.pack_rows == rows
    assert recipe.grouped is not None


@pytest.mark.parametrize(
    ("change", "more", "advice"),
    [
        ({"rows": 1}, {}, "pack"),
        ({"by": None}, {}, "missing required key `by`"),
        ({"groups": 3}, {}, "unknown key 'pack.groups'"),
        ({"by": "{{ id }}"}, {}, "key 'pack.by': it is the name of a column"),
        ({"shared": "the contract"}, {}, "key 'pack.shared'.*move it to 'system'"),
        ({}, {"sample": 20}, "key 'sample'.*batchdrop try"),
    ],
)
def test_mistakes_in_packs_of_one_text(change: dict[str, Any], more: dict[str, Any], advice: str) -> None:
    """Each fault says what to do."""
    pack = {key: value for key, value in {**GROUPED, **change}.items() if value is not None}
    with pytest.raises(RecipeRejected, match=advice):
        parse_recipe({**GOOD, **more, "pack": pack}, name=NAME)
