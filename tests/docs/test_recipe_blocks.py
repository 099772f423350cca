"""Every YAML block of the documentation is a recipe, or a price table, that the product takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from batchdrop.answers.shape import answer_shape, schema_file
from batchdrop.money.prices import parse_prices
from batchdrop.recipe.models import parse_models
from batchdrop.recipe.recipe import parse_recipe
from batchdrop.requests.request import RecipeRequests
from tests.docs.pages import PAGES, Block, blocks, page_name, read_page
from tests.recipe.recipe_page import whole

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
BLOCKS = [
    pytest.param(block, id=f"{page_name(page)}:{block.line}")
    for page in PAGES
    for block in blocks(read_page(page), "yaml")
]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_is_taken(block: Block) -> None:
    """Whole recipes as they stand, fragments with the least around them, price tables by their keys."""
    fields: dict[str, Any] = yaml.safe_load(block.text)
    if [*fields] == ["models"]:
        parse_models(fields, name="models.yaml")
        return
    if "models" in fields:
        parse_prices(fields, name="prices.yaml")
        return
    recipe = parse_recipe(whole(fields) if block.info == "fragment" else fields, name="recipe.yaml")
    shape = answer_shape(recipe, SCHEMA if schema_file(recipe) else None, name="recipe.yaml")
    RecipeRequests(recipe, shape, name="recipe.yaml", attach=lambda cell, attach: {"type": attach.kind})
