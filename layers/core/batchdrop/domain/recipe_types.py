"""What msgspec says of a value of the wrong type, in a YAML writer's words."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from batchdrop.domain.recipe_keys import Recipe
from batchdrop.domain.recipe_words import nearest

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
    """Turn msgspec's ``Expected `int`, got `str` - at `$.max_tokens`` into `key 'max_tokens': write …`.

    `fields` is the recipe as YAML read it.
    """
    text, _, path = str(error).partition(" - at `")
    path = path.rstrip("`").removeprefix("key in ").removeprefix("$").removeprefix(".").replace("[...]", "")
    if text.startswith("Invalid enum value"):
        text = _allowed(path, fields)
    elif (missing := re.match(r"Object missing required field `(.+)`", text)) is not None:
        text = f"missing required key `{missing[1]}`"
    else:
        text = _expected(text)
    return f"key '{path}': {text}" if path else text


def _expected(text: str) -> str:
    found = re.fullmatch(r"Expected `([^`]+)`(?: (>=|<=) ([\d.]+))?(?:, got `([^`]+)`)?", text)
    if found is None:
        return text
    wanted = " or ".join(_WORDS.get(name, name) for name in found[1].split(" | ") if name != "null") or "nothing"
    bound = {">=": f" from {found[3]} up", "<=": f" up to {found[3]}"}.get(found[2] or "", "")
    got = f"it is {_WORDS.get(found[4], found[4]).removesuffix(' (in quotes)')}; " if found[4] else ""
    return f"{got}write {wanted}{bound}"


def _allowed(path: str, fields: Any) -> str:
    """Name the values that the key at `path` may have, and the one that was probably meant."""
    node, value = msgspec.inspect.type_info(Recipe), fields
    for name, place in _STEP.findall(f".{path}"):
        node = _inner(node, name)
        value = value[int(place)] if place else value[name]
    allowed = sorted(_literals(node))
    return f"there is no '{value}'{nearest(value, allowed)} (allowed: {', '.join(allowed)})"


def _inner(node: msgspec.inspect.Type, name: str) -> msgspec.inspect.Type:
    """Return the type behind a key, or behind a place in a list."""
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
    return [str(value) for option in options for value in option.values]
