"""Read recipes from the local disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from batchdrop.answers.shape import schema_file
from batchdrop.errors import RecipeRejected
from batchdrop.money.prices import PRICES_FILE, PriceTable
from batchdrop.recipe.recipe import Recipe, parse_recipe
from batchdrop.split.job_estimate import prices_in


def prices_beside(recipe: Path) -> Path | None:
    """Return the path of the user's own prices: `prices.yaml` beside the recipe, as in the bucket."""
    path = recipe.with_name(PRICES_FILE)
    return path if path.is_file() else None


def load_prices(recipe: Path) -> PriceTable | None:
    """Return the user's own prices beside a recipe; None if there are none. Raises PricesRejected."""
    path = prices_beside(recipe)
    return None if path is None else prices_in(path.read_bytes(), name=path.name)


def load_recipe(path: Path) -> tuple[Recipe, Any]:
    """Return a local recipe, and the content of the schema file that it names. Raises RecipeRejected."""
    name = path.name
    if name == PRICES_FILE:
        message = f"{name}: the name is reserved for your own prices; give the recipe another name"
        raise RecipeRejected(message)
    try:
        recipe = parse_recipe(yaml.safe_load(path.read_bytes()), name=name)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"{name}: it is not YAML: {' '.join(str(error).split())}"
        raise RecipeRejected(message) from error
    file = schema_file(recipe)
    if file is None:
        return recipe, None
    try:
        return recipe, json.loads(path.with_name(file).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{name}: key 'answer.schema': {file} beside the recipe cannot be read: {error}"
        raise RecipeRejected(message) from error
