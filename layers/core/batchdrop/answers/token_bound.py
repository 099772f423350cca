"""The most tokens that a typed answer can take, from its schema: no token is shorter than a byte of the text."""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.answers.schema_file import resolved

SPACES = 2  # ours: the model may write `{ "a": 1 }`, with a space or a newline around each mark
AROUND = 16  # ours: a code fence and the end of the answer
DIGITS = 40  # ours: an integer of more digits is sent again when it is cut
DEEPEST = 10  # levels of nesting that are read
MOST = 2_000  # ours: a larger bound is not worth its look

_FORMATS = {"date": 10, "time": 24, "date-time": 40, "uuid": 36, "ipv4": 15, "ipv6": 45}  # characters
_SCALARS = {"integer": DIGITS, "boolean": 5, "null": 4}


def most_tokens(schema: dict[str, Any] | None) -> int | None:
    """Return the most tokens of an answer with this schema; None if a field has no bound, as a text has none.

    An answer in another form than compact JSON may still be longer, so a cut answer must be sent again.
    """
    if schema is None:
        return None
    size = _bytes(schema, schema, 0)
    return None if size is None or size + AROUND > MOST else size + AROUND


def _bytes(schema: Any, root: dict[str, Any], depth: int) -> int | None:
    """Return the bytes of the longest value; None if there is no bound."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return None
    schema = resolved(schema, root)
    if "const" in schema:
        return _written(schema["const"])
    if "enum" in schema:
        return max(map(_written, schema["enum"]), default=None)
    if "anyOf" in schema:
        return _most([_bytes(option, root, depth + 1) for option in schema["anyOf"]])
    kinds = schema.get("type")
    return _most([_of_kind(kind, schema, root, depth) for kind in (kinds if isinstance(kinds, list) else [kinds])])


def _of_kind(kind: Any, schema: dict[str, Any], root: dict[str, Any], depth: int) -> int | None:
    if kind == "object" and schema.get("additionalProperties") is False:
        return _object(schema.get("properties", {}), root, depth)
    if kind == "string" and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]] + 2
    return _SCALARS.get(kind)


def _object(properties: dict[str, Any], root: dict[str, Any], depth: int) -> int | None:
    total = 2 * (1 + SPACES)
    for name, inner in properties.items():
        size = _bytes(inner, root, depth + 1)
        if size is None:
            return None
        indent = 2 * SPACES * (depth + 1)
        total += _written(name) + size + 2 * (1 + SPACES) + indent
    return total


def _most(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return max(known, default=None) if len(known) == len(sizes) else None


def _written(value: Any) -> int:
    """Return the bytes of a value as JSON: as UTF-8, or with each other character escaped, whichever is longer."""
    text = msgspec.json.encode(value).decode()
    return max(len(text.encode()), sum(1 if letter.isascii() else 6 * (1 + (letter > "\uffff")) for letter in text))
