"""Read recipes from the local disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchdrop.answers.shape import TEXT_ANSWER, answer_shape, schema_file
from batchdrop.cli.check.local_files import named_only
from batchdrop.errors import RecipeRejected
from batchdrop.money.prices import PRICES_FILE, PriceTable
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.recipe_file import parse_recipe_file, with_places
from batchdrop.recipe.words import rejected
from batchdrop.requests.request import RecipeRequests
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
    """Return a local recipe, and the content of the schema file that it names.

    Raises RecipeRejected with all faults of the recipe, each with its line and column in `path`.
    """
    name = str(path)
    if path.name == PRICES_FILE:
        message = f"{name}: the name is reserved for your own prices; give the recipe another name"
        raise RecipeRejected(message)
    body = path.read_bytes()
    recipe = parse_recipe_file(body, name=name)
    schema = _schema_beside(path, recipe)
    faults = [*_later_faults(recipe, schema, name)]
    if faults:
        raise with_places(rejected(name, faults), body, name=name)
    return recipe, schema


@contextmanager
def naming_own_file(path: Path | None, key: str) -> Iterator[None]:
    """Let the context's errors name the recipe as the user does, not by its `key` in a bucket, and with the place."""
    try:
        yield
    except RecipeRejected as refusal:
        if path is None or not str(refusal).startswith(f"{key}: "):
            raise
        own = RecipeRejected(f"{path}: {str(refusal).removeprefix(f'{key}: ')}")
        raise with_places(own, path.read_bytes(), name=str(path)) from refusal


def _later_faults(recipe: Recipe, schema: Any, name: str) -> Iterator[str]:
    """Yield the faults of the answer, and those of templates and examples, which a job finds one after the other."""
    shape = TEXT_ANSWER
    try:
        shape = answer_shape(recipe, schema, name=name)
    except RecipeRejected as refusal:
        yield str(refusal).removeprefix(f"{name}: ")
    try:
        RecipeRequests(recipe, shape, name=name, attach=named_only)
    except RecipeRejected as refusal:
        yield str(refusal).removeprefix(f"{name}: ")


def _schema_beside(path: Path, recipe: Recipe) -> Any:
    file = schema_file(recipe)
    if file is None:
        return None
    try:
        return json.loads(path.with_name(file).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{path}: key 'answer.schema': {file} beside the recipe cannot be read: {error}"
        raise RecipeRejected(message) from error
