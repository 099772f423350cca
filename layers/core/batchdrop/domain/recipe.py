"""How to ask about each row: the recipe, read from YAML and checked key by key."""

from __future__ import annotations

import difflib
from typing import Any, Literal

import msgspec

from batchdrop.errors import RecipeRejected

DEFAULT_ROUNDS = 3
MAX_ROUNDS = 10  # ours: what failed ten times for passing reasons needs a person

FORBIDDEN_PARAMS = {
    "stream": "answers of a Message Batch cannot be streamed",
    "speed": "the Message Batches API refuses it",
    "temperature": "API version 2026-10-21 refuses sampling parameters",
    "top_p": "API version 2026-10-21 refuses sampling parameters",
    "top_k": "API version 2026-10-21 refuses sampling parameters",
    "model": "it is a key of the recipe itself",
    "max_tokens": "it is a key of the recipe itself",
    "system": "it is a key of the recipe itself",
    "messages": "the recipe's prompt becomes the message",
}


FormatName = Literal["csv", "tsv", "jsonl", "json", "parquet", "xlsx", "txt"]
Compression = Literal["none", "gz", "zst", "bz2"]


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the upload is read, where its name and its first bytes do not say it."""

    format: FormatName | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the output is written; what is not set is as in the input."""

    format: FormatName | None = None
    compression: Compression | None = None
    encoding: str | None = None
    column: str = "answer"
    prefix: str = ""
    escape_formulas: bool = True


class System(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The system prompt; `cache` puts it, and what else all rows share, into the API's prompt cache for an hour."""

    text: str
    cache: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message of a conversation; `content` is a template."""

    role: Literal["user", "assistant"]
    content: str


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row with the answer it should get; shown to the model before each row."""

    row: dict[str, Any]
    answer: Any


class Attach(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column whose cells name a file that goes into the request."""

    column: str
    kind: Literal["document", "image"] = msgspec.field(name="as")


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which paid answers are asked again.

    `max_tokens: x2` asks a cut one once more, with twice the limit; `invalid: 1` asks one that breaks `answer` once more.
    """

    max_tokens: Literal["x2"] | None = None
    invalid: int = 0


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe's keys. `params` is passed through to Messages as it is.

    Either `prompt` or `messages` says what to ask; with `input: files` each dropped file is a row of its own.
    `answer` is None for a text answer in one column. `max_rounds`: how often a row is asked at most while it fails for
    passing reasons; failures are not billed.
    """

    model: str
    prompt: str | None = None
    messages: list[Turn] | None = None
    max_tokens: int = 1024
    system: str | System | None = None
    examples: list[Example] = []
    answer: dict[str, Any] | None = None
    attach: Attach | list[Attach] = []
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    input: Input | Literal["files"] = Input()
    output: Output = Output()
    lane: Literal["auto", "batch", "live"] = "auto"
    on_bad_row: Literal["skip", "stop"] = "skip"
    max_rounds: int = DEFAULT_ROUNDS
    retry: Retry = Retry()


def parse_recipe(fields: object, *, name: str) -> Recipe:
    """Check a recipe that YAML has read. `name` is what messages call it (`recipes/sentiment.yaml`).

    Raises RecipeRejected naming the key and, for an unknown one, the nearest known.
    """
    if not isinstance(fields, dict):
        message = f"{name}: a recipe is a mapping of keys (model, prompt, …), this is {_kind(fields)}"
        raise RecipeRejected(message)
    _refuse_unknown_keys(fields, name)
    try:
        recipe = msgspec.convert(fields, Recipe)
    except msgspec.ValidationError as error:
        message = f"{name}: {_readable(error)}"
        raise RecipeRejected(message) from error
    _check_values(recipe, name)
    return recipe


def _refuse_unknown_keys(fields: dict[object, object], name: str) -> None:
    known = Recipe.__struct_fields__
    for key in fields:
        if key in known:
            continue
        near = difflib.get_close_matches(str(key), known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        message = f"{name}: unknown key '{key}'{hint} (known keys: {', '.join(known)})"
        raise RecipeRejected(message)


def _check_values(recipe: Recipe, name: str) -> None:
    faults = (
        (not recipe.model.strip(), "key 'model': it is empty; name a model, such as claude-haiku-5-5"),
        (not (recipe.prompt or "").strip(), "key 'prompt': it is empty; write what to ask about each row"),
        (not 1 <= recipe.max_rounds <= MAX_ROUNDS, f"key 'max_rounds': it goes from 1 to {MAX_ROUNDS}"),
        (recipe.max_tokens < 1, f"key 'max_tokens': {recipe.max_tokens} is below 1"),
        (recipe.lane == "live", "key 'lane': the live lane is not there yet; use 'batch' or 'auto'"),
    )
    for is_fault, reason in faults:
        if is_fault:
            message = f"{name}: {reason}"
            raise RecipeRejected(message)
    for param in recipe.params:
        if param in FORBIDDEN_PARAMS:
            message = f"{name}: key 'params.{param}': {FORBIDDEN_PARAMS[param]}; remove it"
            raise RecipeRejected(message)


def _readable(error: msgspec.ValidationError) -> str:
    """Turn msgspec's `... - at `$.max_tokens`` into `key 'max_tokens': ...`."""
    text, _, path = str(error).partition(" - at `$.")
    return f"key '{path.rstrip('`')}': {text}" if path else text.replace("Object missing", "missing")


def _kind(value: object) -> str:
    return "empty" if value is None else f"a {type(value).__name__}"
