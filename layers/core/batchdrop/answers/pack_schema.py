"""The schema of a pack's answer: one object for each row, with the row's number beside its fields."""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.answers.schema_file import resolved
from batchdrop.recipe.words import fault

ROW, ROWS = "row", "rows"
_SHARED = ("$defs", "definitions")


def pack_schema(schema: dict[str, Any], *, name: str) -> dict[str, Any]:
    """Return the schema of a pack whose rows have answers of this schema. It is the same for packs of any size.

    `name` is the recipe's file. Raises RecipeRejected for a schema that cannot be part of another one.
    """
    top = resolved(schema, schema)
    if ROW in top["properties"]:
        raise fault(name, "answer", "a pack numbers its rows in a field called 'row'; give yours another name")
    if _refers_elsewhere(schema):
        reason = "in a pack, the schema stands inside another one; let each '$ref' lead to '#/$defs/…'"
        raise fault(name, "answer.schema", reason)
    item = {word: value for word, value in top.items() if word not in _SHARED}
    item["properties"] = {ROW: {"type": "integer"}, **top["properties"]}
    item["required"] = [ROW, *top.get("required", [])]
    return {
        "type": "object",
        "properties": {ROWS: {"type": "array", "items": item}},
        "required": [ROWS],
        "additionalProperties": False,
        **{word: schema[word] for word in _SHARED if word in schema},
    }


def _refers_elsewhere(schema: dict[str, Any]) -> bool:
    text = msgspec.json.encode(schema)
    refs = text.count(b'"$ref":"#/')
    return refs != sum(text.count(b'"$ref":"#/%b/' % word.encode()) for word in _SHARED)
