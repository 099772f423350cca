"""Parse a recipe: YAML fields in, a checked `Recipe` out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.aliases import refuse_alias_bombs
from batchdrop.recipe.file_keys import Compression, FormatName, Input, Output
from batchdrop.recipe.keys import (
    DEFAULT_ROUNDS,
    MAX_INVALID,
    MAX_ROUNDS,
    MAX_SAMPLE,
    Attach,
    Escalate,
    Example,
    FailIf,
    Recipe,
    Retry,
    Sample,
    System,
    Turn,
)
from batchdrop.recipe.pack_keys import MAX_PACK, GroupedPack
from batchdrop.recipe.rules import FORBIDDEN_PARAMS, broken_rules
from batchdrop.recipe.save_keys import Save
from batchdrop.recipe.type_errors import readable
from batchdrop.recipe.words import kind, rejected, unknown_keys

__all__ = [
    "DEFAULT_ROUNDS", "FORBIDDEN_PARAMS", "MAX_INVALID", "MAX_PACK", "MAX_ROUNDS", "MAX_SAMPLE", "Attach",
    "Compression", "Escalate", "Example", "FailIf", "FormatName", "GroupedPack", "Input", "Output", "Recipe", "Retry",
    "Sample", "System", "Turn", "parse_recipe",
]  # fmt: skip

_INNER_KEYS: dict[str, type[msgspec.Struct]] = {
    "messages": Turn,
    "system": System,
    "examples": Example,
    "attach": Attach,
    "input": Input,
    "output": Output,
    "retry": Retry,
    "escalate": Escalate,
    "fail_if": FailIf,
    "sample": Sample,
    "save": Save,
    "pack": GroupedPack,
}


def parse_recipe(fields: object, *, name: str) -> Recipe:
    """Check a recipe's YAML fields. Messages call the recipe `name` (`recipes/sentiment.yaml`).

    Raises RecipeRejected with the key, the fault and the fix. `answer_shape` checks `answer` later, and
    `RecipeRequests` checks templates and examples.
    """
    if not isinstance(fields, dict):
        message = f"{name}: a recipe must be a mapping of keys (model, prompt, …), but this is {kind(fields)}"
        raise RecipeRejected(message)
    refuse_alias_bombs(fields, name)
    unknown = [*_unknown_keys(fields)]
    try:
        plain = msgspec.to_builtins({key: fields[key] for key in fields if key in _keys(Recipe)})  # dates become text
        faults = [*unknown, *_wrong_types(plain)]
        if faults:
            raise rejected(name, faults)
        recipe = msgspec.convert(plain, Recipe)
        msgspec.json.encode(recipe)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        message = f"{name}: it holds a value that JSON cannot represent, so it cannot be sent to the API: {error}"
        raise RecipeRejected(message) from error
    faults = [*broken_rules(recipe)]
    if faults:
        raise rejected(name, faults)
    return recipe


def _unknown_keys(fields: dict[Any, Any]) -> Iterator[str]:
    yield from unknown_keys(fields, _keys(Recipe))
    for key, struct in _INNER_KEYS.items():
        value = fields.get(key)
        for place, inner in enumerate(value) if isinstance(value, list) else [("", value)]:
            if isinstance(inner, dict):
                path = f"{key}[{place}]." if isinstance(place, int) else f"{key}."
                yield from unknown_keys(inner, _keys(struct), path=path)


def _wrong_types(plain: dict[Any, Any]) -> Iterator[str]:
    """Yield what is wrong with each key that is known and has a value of another type, and with a missing model."""
    probes: list[dict[Any, Any]] = [] if "model" in plain else [{}]
    probes += [{"model": "", key: value} for key, value in plain.items() if not [*_unknown_keys({key: value})]]
    for fields in probes:
        try:
            msgspec.convert(fields, Recipe)
        except msgspec.ValidationError as error:
            yield readable(error, fields)


def _keys(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return struct.__struct_encode_fields__
