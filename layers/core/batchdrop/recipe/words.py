"""How a recipe's faults are told: file, key, reason, and the key or value that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from batchdrop.errors import RecipeRejected


def fault(name: str, key: str, reason: str) -> RecipeRejected:
    """Return the error of one key of the recipe called `name`; `key` is its path (`output.column`)."""
    return RecipeRejected(f"{name}: key '{key}': {reason}")


def nearest(word: object, known: Iterable[str]) -> str:
    """Return `; did you mean 'model'?`, or nothing where no known word is near."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1) or [each for each in words if each == str(word).lower()]
    return f"; did you mean '{near[0]}'?" if near else ""


def refuse_unknown_keys(fields: Mapping[object, object], known: Iterable[str], *, name: str, path: str = "") -> None:
    """Raise RecipeRejected for the first key that is not known; `path` ends in a dot where it is not empty."""
    keys = list(known)
    for key in fields:
        if key not in keys:
            message = f"{name}: unknown key '{path}{key}'{nearest(key, keys)} (known keys: {', '.join(keys)})"
            raise RecipeRejected(message)


def kind(value: object) -> str:
    """Return what a value is, in a YAML writer's words."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return "empty" if value is None else names.get(type(value), f"a {type(value).__name__}")
