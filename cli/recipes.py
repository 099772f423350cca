"""Recipes on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from batchdrop.domain.answer_shape import schema_file
from batchdrop.domain.recipe import Recipe, parse_recipe
from batchdrop.errors import RecipeRejected


def load_recipe(path: Path) -> tuple[Recipe, Any]:
    """Return a recipe on disk, and what the schema file holds that it names. Raises RecipeRejected."""
    name = path.name
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
