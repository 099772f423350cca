"""Find the columns of an answer that can be counted, and how."""

from __future__ import annotations

from typing import Any

from batchdrop.answers.schema_file import resolved
from batchdrop.answers.shape import AnswerShape
from batchdrop.report.answer_counts import CountedKind


def counted_columns(shape: AnswerShape) -> dict[str, CountedKind | None]:
    """Return the answer's columns, in order, with how to count each; None for objects and lists of objects."""
    names = [column.name for column in shape.columns.answer]
    schema = shape.typed_schema
    if schema is None:
        return dict.fromkeys(names, "text")
    fields = resolved(schema, schema)["properties"].values()
    return {name: _kind(field, schema) for name, field in zip(names, fields, strict=True)}


def _kind(field: dict[str, Any], root: dict[str, Any]) -> CountedKind | None:
    schema = _without_null(resolved(field, root), root)
    if "enum" in schema or "const" in schema or schema.get("type") == "boolean":
        return "label"
    match schema.get("type"):
        case "string":
            return "text"
        case "number" | "integer":
            return "number"
        case "array":
            items = schema.get("items", {})
            of_items = _kind(items, root) if isinstance(items, dict) else None
            return {"label": "labels", "text": "texts"}.get(of_items or "")  # type: ignore[return-value] # two kinds
        case _:
            return None


def _without_null(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional field's value; other unions are returned unchanged."""
    if isinstance(schema.get("type"), list):
        types = [one for one in schema["type"] if one != "null"]
        return {**schema, "type": types[0] if len(types) == 1 else types}
    options = [resolved(option, root) for option in schema.get("anyOf", [])]
    real = [option for option in options if option.get("type") != "null"]
    return real[0] if len(real) == 1 else schema
