"""How to ask about each row: the recipe, read from YAML and checked key by key."""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.keys import (
    DEFAULT_ROUNDS,
    MAX_INVALID,
    MAX_ROUNDS,
    MAX_SAMPLE,
    Attach,
    Compression,
    Example,
    FormatName,
    Input,
    Output,
    Recipe,
    Retry,
    Sample,
    System,
    Turn,
)
from batchdrop.recipe.rules import FORBIDDEN_PARAMS, check_rules
from batchdrop.recipe.type_errors import readable
from batchdrop.recipe.words import kind, refuse_unknown_keys

__all__ = [
    "DEFAULT_ROUNDS", "FORBIDDEN_PARAMS", "MAX_INVALID", "MAX_ROUNDS", "MAX_SAMPLE", "Attach", "Compression", "Example",
    "FormatName", "Input", "Output", "Recipe", "Retry", "Sample", "System", "Turn", "parse_recipe",
]  # fmt: skip

_INNER_KEYS: dict[str, type[msgspec.Struct]] = {
    "messages": Turn,
    "system": System,
    "examples": Example,
    "attach": Attach,
    "input": Input,
    "output": Output,
    "retry": Retry,
    "sample": Sample,
}


def parse_recipe(fields: object, *, name: str) -> Recipe:
    """Check a recipe that YAML has read. `name` is what messages call it (`recipes/sentiment.yaml`).

    Raises RecipeRejected naming the key, what is wrong, and what to write instead. What `answer` says is checked by
    `answer_shape`, templates and examples by `RecipeRequests`.
    """
    if not isinstance(fields, dict):
        message = f"{name}: a recipe is a mapping of keys (model, prompt, …), this is {kind(fields)}"
        raise RecipeRejected(message)
    _refuse_unknown_keys(fields, name)
    try:
        plain = msgspec.to_builtins(fields)  # YAML's dates become text, as they will be in the manifest
        recipe = msgspec.convert(plain, Recipe)
        msgspec.json.encode(recipe)
    except msgspec.ValidationError as error:
        message = f"{name}: {readable(error, plain)}"
        raise RecipeRejected(message) from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"{name}: it holds a value that JSON cannot carry, so the API could not be told: {error}"
        raise RecipeRejected(message) from error
    check_rules(recipe, name)
    return recipe


def _refuse_unknown_keys(fields: dict[Any, Any], name: str) -> None:
    refuse_unknown_keys(fields, _keys(Recipe), name=name)
    for key, struct in _INNER_KEYS.items():
        value = fields.get(key)
        for place, inner in enumerate(value) if isinstance(value, list) else [("", value)]:
            if isinstance(inner, dict):
                path = f"{key}[{place}]." if isinstance(place, int) else f"{key}."
                refuse_unknown_keys(inner, _keys(struct), name=name, path=path)


def _keys(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_encode_fields__
