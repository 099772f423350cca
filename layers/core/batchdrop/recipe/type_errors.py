"""Rewrite msgspec's type errors in the words of someone who writes YAML."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchdrop.recipe.keys import Recipe
from batchdrop.recipe.words import kind, nearest

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text (in quotes)",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "empty",
}
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def readable(error: msgspec.ValidationError, fields: Any) -> str:
    """Rewrite ``Expected `int`, got `str` - at `$.max_tokens`` as `key 'max_tokens': it is …; write …`.

    `fields` are the recipe's YAML fields.
    """
    text, _, place = str(error).partition(" - at `")
    in_key, place = place.startswith("key` in `"), place.removeprefix("key` in `")
    path = place.rstrip("`").removeprefix("$").removeprefix(".").removesuffix("[...]")
    missing = re.match(r"Object missing required field `(.+)`", text)
    if missing is not None:
        text = f"missing required key `{missing[1]}`"
    elif in_key:
        text = "one of its keys is not text (YAML reads an unquoted yes, no, on or off as true or false); quote it"
    elif text.startswith(("Invalid enum value", "Expected `")):
        text = _wanted(text, path, fields)
    return f"key '{path}': {text}" if path else text


def _wanted(text: str, path: str, fields: Any) -> str:
    """Return what the key's value is, and what it may be."""
    node, value = msgspec.inspect.type_info(Recipe), fields
    for name, place in _STEP.findall(f".{path}"):
        node = _inner(node, name)
        value = value[int(place)] if place else value.get(name)
    allowed = sorted(_literals(node))
    if text.startswith("Invalid enum value"):
        return f"unknown value '{value}'{nearest(value, allowed)} (allowed: {', '.join(allowed)})"
    names = [name for name in re.split(r"[`| ]+", text.partition(",")[0])[1:] if name in _WORDS and name != "null"]
    if "str" in names and allowed:
        names.remove("str")
    words = [*allowed, *(_WORDS[name] for name in names)]
    or_none = ", or remove the key" if value is None else ""
    return f"it is {_shown(value)}; write {' or '.join(words)}{_bounds(node)}{or_none}"


def _shown(value: object) -> str:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else kind(value)


def _bounds(node: msgspec.inspect.Type) -> str:
    for option in _options(node):
        if isinstance(option, msgspec.inspect.IntType) and option.ge is not None:
            return f" from {option.ge} to {option.le}" if option.le is not None else f", {option.ge} or more"
        if isinstance(option, msgspec.inspect.FloatType) and option.gt is not None:
            return f" above {option.gt:g}" + ("" if option.le is None else f" and at most {option.le:g}")
    return ""


def _inner(node: msgspec.inspect.Type, name: str) -> msgspec.inspect.Type:
    """Return the type of a key's value, or of a list's element."""
    for option in _options(node):
        if isinstance(option, msgspec.inspect.StructType) and name:
            for field in option.fields:
                if field.encode_name == name:
                    return field.type
        if isinstance(option, msgspec.inspect.ListType):
            return _inner(option.item_type, name) if name else option.item_type
    return node


def _options(node: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    while isinstance(node, msgspec.inspect.Metadata):
        node = node.type
    return node.types if isinstance(node, msgspec.inspect.UnionType) else (node,)


def _literals(node: msgspec.inspect.Type) -> list[str]:
    options = [option for option in _options(node) if isinstance(option, msgspec.inspect.LiteralType)]
    words = [str(value) for option in options for value in option.values]
    is_flag = bool(words) and any(isinstance(option, msgspec.inspect.BoolType) for option in _options(node))
    return [*words, "true", "false"] if is_flag else words
