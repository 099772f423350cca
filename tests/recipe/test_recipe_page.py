"""docs/recipes.md: complete, and every block of it works."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from batchdrop.answers.fields import FIELD_KEYS, SCALARS
from batchdrop.answers.shape import answer_shape, schema_file
from batchdrop.recipe.recipe import (
    FORBIDDEN_PARAMS,
    Attach,
    Example,
    Input,
    Output,
    Recipe,
    Retry,
    Sample,
    System,
    Turn,
    parse_recipe,
)
from batchdrop.recipe.rules import USUAL_ENCODINGS
from batchdrop.requests.request import RecipeRequests
from tests.recipe.recipe_page import PAGE, RECIPES

STRUCTS = [Recipe, Input, Output, System, Turn, Example, Attach, Retry, Sample]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_key_is_in_the_page(struct: type[msgspec.Struct]) -> None:
    """By its name, as code."""
    for key in struct.__struct_encode_fields__:
        assert f"`{key}`" in PAGE or f"`{key}:" in PAGE, key


@pytest.mark.parametrize("word", [*FIELD_KEYS, *SCALARS, *FORBIDDEN_PARAMS, *USUAL_ENCODINGS])
def test_every_word_is_in_the_page(word: str) -> None:
    """Types, refused parameters and usual encodings."""
    assert f"`{word}`" in PAGE or f"{{{word}: " in PAGE or f"`{word}: " in PAGE


@pytest.mark.parametrize("fields", RECIPES, ids=",".join)
def test_every_block_is_a_recipe(fields: dict[str, Any]) -> None:
    """Whole ones as they stand, fragments with the least around them."""
    recipe = parse_recipe(fields, name="docs/recipes.md")
    shape = answer_shape(recipe, SCHEMA if schema_file(recipe) else None, name="docs/recipes.md")
    RecipeRequests(recipe, shape, name="docs/recipes.md", attach=lambda cell, attach: {"type": attach.kind})


def test_no_block_is_left_out() -> None:
    """Each YAML block of the page is looked at."""
    assert PAGE.count("```yaml") == len(RECIPES) > 10
