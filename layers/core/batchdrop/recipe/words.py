"""Build a recipe's error messages: file, key, reason, and the key or value that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from batchdrop.errors import RecipeRejected


def fault(name: str, key: str, reason: str) -> RecipeRejected:
    """Return the error for one key of the recipe `name`; `key` is a path (`output.column`)."""
    return RecipeRejected(f"{name}: key '{key}': {reason}")


def nearest(word: object, known: Iterable[str]) -> str:
    """Return `; did you mean 'model'?`, or an empty text if no known word is similar."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1) or [each for each in words if each == str(word).lower()]
    return f"; did you mean '{near[0]}'?" if near else ""


def rejected(name: str, faults: Sequence[str]) -> RecipeRejected:
    """Return one error for all faults of the recipe `name`; several are a line each."""
    if len(faults) == 1:
        return RecipeRejected(f"{name}: {faults[0]}")
    return RecipeRejected("\n  ".join((f"{name}: {len(faults)} faults", *faults)))


def refuse_unknown_keys(fields: Mapping[object, object], known: Iterable[str], *, name: str, path: str = "") -> None:
    """Raise RecipeRejected for unknown keys; `path` is empty or ends in a dot."""
    faults = [*unknown_keys(fields, known, path=path)]
    if faults:
        raise rejected(name, faults)


def unknown_keys(fields: Mapping[object, object], known: Iterable[str], *, path: str = "") -> Iterator[str]:
    """Yield what is wrong with each unknown key; `path` is empty or ends in a dot."""
    keys = list(known)
    for key in fields:
        if key not in keys:
            yield f"unknown key '{path}{key}'{nearest(key, keys)} (known keys: {', '.join(keys)})"


def kind(value: object) -> str:
    """Return the name of a value's type, in a YAML writer's words."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return "empty" if value is None else names.get(type(value), f"a {type(value).__name__}")
