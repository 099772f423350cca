"""The models that exist, and what is known of them: from the service, the user's own list, or the shipped one."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal

import msgspec

from batchdrop.errors import RecipeRejected

OWN_API = "https://api.anthropic.com"  # a gateway may have models of its own
MODELS_FILE = "models.yaml"
MODELS_KEY = f"recipes/{MODELS_FILE}"
Lifecycle = Literal["active", "deprecated", "retired"]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model. `retires_at` is a date (ISO); `max_tokens` is the largest that it takes, None if unknown."""

    lifecycle: Lifecycle = "active"
    max_tokens: int | None = None
    retires_at: str | None = None


class ModelTable(msgspec.Struct, frozen=True):
    """Known models, with the date and the source of the list.

    `is_certain`: the list decides whether a model exists. It does not behind a gateway that has names of its own.
    """

    date: str
    source: str
    models: dict[str, Model]
    is_certain: bool = True


@cache
def model_table() -> ModelTable:
    """Return the list that ships with the package; `python -m tools.models` writes it."""
    text = resources.files("batchdrop.recipe").joinpath("models.json").read_bytes()
    return msgspec.json.decode(text, type=ModelTable)


def with_own(table: ModelTable, own: dict[str, Model]) -> ModelTable:
    """Return a list in which the user's own models come first."""
    return msgspec.structs.replace(table, models={**table.models, **own})


def parse_models(fields: Any, *, name: str) -> dict[str, Model]:
    """Return the user's own models. `fields` are YAML's: `{models: {id: {max_tokens, lifecycle, retires_at}}}`.

    Raises RecipeRejected.
    """
    models = fields.get("models") if isinstance(fields, dict) and len(fields) == 1 else None
    if not isinstance(models, dict) or not models:
        form = "'models: {claude-x: {max_tokens: 64000}}'"
        message = f"{name}: write one key 'models' with a mapping for each model, such as {form}"
        raise RecipeRejected(message)
    try:
        plain = msgspec.to_builtins(models, str_keys=True)  # YAML's dates become text
        return msgspec.convert({model: spec or {} for model, spec in plain.items()}, dict[str, Model])
    except msgspec.ValidationError as error:
        message = f"{name}: {error}; a model has max_tokens, lifecycle and retires_at"
        raise RecipeRejected(message) from error
