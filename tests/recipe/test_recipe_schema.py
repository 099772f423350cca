"""The schema of recipes: of this day, takes what is right, and refuses what the product refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from batchdrop.answers.shape import answer_shape
from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import parse_recipe
from batchdrop.requests.request import RecipeRequests
from batchdrop.requests.row import Cursor, Row
from tests.recipe.recipe_page import RECIPES as PAGE_RECIPES
from tools.recipe_schema import PATH, recipe_schema, written

ROOT = PATH.parents[1]
EXAMPLES = sorted((ROOT / "examples" / "recipes").glob("*.yaml"))
VALID = jsonschema_rs.Draft202012Validator(recipe_schema())
GOOD: dict[str, Any] = {"model": "claude-haiku-5-5", "prompt": "Say {{ x }}"}
USER = {"role": "user", "content": "{{ x }}"}


def test_the_file_is_of_this_day() -> None:
    """`python -m tools.recipe_schema` writes it anew."""
    assert PATH.read_text(encoding="utf-8") == written()


def test_the_schema_is_one() -> None:
    """It keeps to the rules of JSON Schema itself, and every key says what it means."""
    assert jsonschema_rs.meta.is_valid(recipe_schema())
    structs = [recipe_schema(), *recipe_schema()["$defs"].values()]
    for struct in structs:
        assert struct["description"]
        for name, key in struct.get("properties", {}).items():
            assert key.get("description"), name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    """Each example names the schema for editors, fits it, and is a recipe from its types to its examples."""
    text = path.read_text(encoding="utf-8")
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert found is not None
    assert (path.parent / found[1]).resolve() == PATH.resolve()
    fields = yaml.safe_load(text)
    VALID.validate(fields)
    recipe = parse_recipe(fields, name=path.name)
    shape = answer_shape(recipe, name=path.name)
    requests = RecipeRequests(recipe, shape, name=path.name, attach=lambda cell, attach: {"type": attach.kind})
    columns = sorted(set().union(*(prompt.variables for _, prompt in requests._conversation.own)))
    cells = dict.fromkeys([*columns, *(attach.column for attach in recipe.attached)], "x")
    assert requests.request(Row("", Cursor(), cells)).params


@pytest.mark.parametrize("fields", PAGE_RECIPES, ids=",".join)
def test_the_pages_recipes_are_right(fields: dict[str, Any]) -> None:
    """What docs/recipes.md shows fits the schema."""
    VALID.validate(fields)


@pytest.mark.parametrize(
    "change",
    [
        {"modle": "x"},
        {"model": None},
        {"model": " "},
        {"prompt": ""},
        {"prompt": 5},
        {"messages": [USER]},
        {"prompt": None, "messages": []},
        {"prompt": None},
        {"prompt": None, "messages": [{"role": "system", "content": "x"}]},
        {"max_tokens": 0},
        {"max_tokens": "many"},
        {"system": "{{ x }}"},
        {"system": {"text": "{% if x %}"}},
        {"system": {"text": "x", "cash": True}},
        {"examples": [{"row": {}}]},
        {"answer": {}},
        {"answer": ["label"]},
        {"answer": {"label": "strng"}},
        {"answer": {"label": {"enum": []}}},
        {"answer": {"label": {"enum": ["yes", True]}}},
        {"answer": {"label": {"enum": ["1", 2]}}},
        {"answer": {"label": {"enum": ["a", "a"]}}},
        {"answer": {"label": {"enum": ["a"], "type": "string"}}},
        {"answer": {"label": {"enum": ["a"], "descripton": "x"}}},
        {"answer": {"label": {"list": {"object": {"a": "x"}}}}},
        {"answer": {"label": {"type": "string", "optional": "no"}}},
        {"answer": {" label": "string"}},
        {"attach": {"column": "p"}},
        {"attach": [{"column": "p", "as": "pdf"}]},
        {"attach": {"column": " ", "as": "image"}},
        {"params": {"stream": False}},
        {"params": {"temperature": 1}},
        {"input": "file"},
        {"input": {"format": "cvs"}},
        {"input": {"delimiter": "||"}},
        {"input": {"delimiter": '"'}},
        {"input": {"delimiter": "\n"}},
        {"output": {"colum": "x"}},
        {"output": {"column": " "}},
        {"output": {"column": "a\tb"}},
        {"output": {"prefix": " "}},
        {"output": {"prefix": "\n"}},
        {"output": {"compression": "gzip"}},
        {"output": {"escape_formulas": "yes"}},
        {"live_rows": -1},
        {"lane": "fast"},
        {"on_bad_row": "ignore"},
        {"max_rounds": 11},
        {"retry": {"max_tokens": "x3"}},
        {"retry": {"invalid": 6}},
        {"fail_if": {"answered_below": 0}},
        {"fail_if": {"answered_below": 1.5}},
        {"fail_if": {}},
        {"sample": 0},
        {"sample": 10_001},
        {"sample": "50"},
        {"sample": True},
        {"sample": {"row": 50}},
        {"sample": {"continue_under_usd": 5}},
        {"sample": {"rows": 50, "continue_under_usd": -1}},
        {"sample": {"rows": 50, "lane": "fast"}},
    ],
    ids=str,
)
def test_both_refuse_what_is_wrong(change: dict[str, Any]) -> None:
    """The editor says it while the recipe is written, the product before anything is sent."""
    fields = {key: value for key, value in {**GOOD, **change}.items() if (key, value) != ("prompt", None)}
    assert not VALID.is_valid(fields)
    with pytest.raises(RecipeRejected):
        answer_shape(parse_recipe(fields, name="r.yaml"), name="r.yaml")


@pytest.mark.parametrize(
    "change",
    [
        {"answer": {"schema": "review.json"}},
        {"answer": {"schema": "string?"}},
        {"answer": {"a": {"list": {"object": {"b": {"enum": [1, 2.5], "optional": True, "description": "d"}}}}}},
        {"input": "files"},
        {"input": {"delimiter": "tab"}},
        {"input": {"delimiter": "\t"}},
        {"input": {"delimiter": "\\t"}},
        {"output": {"column": "the answer", "prefix": "c "}},
        {"output": {"prefix": ""}},
        {"attach": []},
        {"system": {"text": "{ }", "cache": True}},
        {"params": {"output_config": {"effort": "low"}}},
        {"lane": "live"},
        {"sample": 50},
        {"sample": {"rows": 10_000, "continue_under_usd": 5, "lane": "live"}},
        {"sample": {"rows": 1, "continue_under_usd": 0.5}},
    ],
    ids=str,
)
def test_both_take_what_is_right(change: dict[str, Any]) -> None:
    """The schema is not stricter than the product."""
    VALID.validate({**GOOD, **change})
    parse_recipe({**GOOD, **change}, name="r.yaml")
