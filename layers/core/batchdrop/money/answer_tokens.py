"""Expected tokens of an answer, before the answer exists.

A typed answer is estimated from its schema: the JSON of a typical value for each field. A text answer has no schema,
so a quarter of `max_tokens` is assumed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.answers.schema_file import resolved
from batchdrop.answers.shape import AnswerShape
from batchdrop.money.prompt_tokens import text_size, tokeniser

LEAST_ANSWER = 1  # the end of an answer is a token, too
TEXT_SHARE = 0.25  # ours: of max_tokens; people set it well above the usual answer
USUAL_TEXT = "x" * 24  # ours: a field's text is a few words
USUAL_SCALARS = {"integer": 10, "number": 0.75, "boolean": False, "null": None}  # ours
USUAL_ITEMS = 2  # ours: items of a list
DEEPEST = 10  # levels of nesting that are read


def expected_tokens(shape: AnswerShape, *, model: str, max_tokens: int) -> int:
    """Return the tokens of a typical answer, at most `max_tokens`."""
    schema = shape.typed_schema
    if schema is None:
        return max(LEAST_ANSWER, round(max_tokens * TEXT_SHARE))
    text = msgspec.json.encode(_usual(schema, schema, 0)).decode()
    return min(max_tokens, round(text_size(text).tokens * tokeniser(model)) + LEAST_ANSWER)


def _usual(schema: Any, root: dict[str, Any], depth: int) -> Any:
    """Return a value of typical length; of several possible values, the longest."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return None
    schema = resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    values = schema.get("enum") or [_usual(option, root, depth + 1) for option in schema.get("anyOf", [])]
    if values:
        return max(values, key=lambda value: len(msgspec.json.encode(value)))
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    kinds = schema.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
    if kind == "object":
        return {name: _usual(inner, root, depth + 1) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_usual(schema.get("items"), root, depth + 1)] * USUAL_ITEMS
    return USUAL_SCALARS.get(kind, USUAL_TEXT)
