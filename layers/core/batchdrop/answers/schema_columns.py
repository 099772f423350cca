"""Turn the schema of typed answers into columns, and an answer's values into what the columns hold."""

from __future__ import annotations

from typing import Any

from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.answers.schema_file import resolved
from batchdrop.recipe.recipe import Recipe

_INT64 = range(-(2**63), 2**63)  # what an integer column of Parquet holds


class AnswerInvalid(Exception):  # concerns one row only; caught where outcomes are made
    """A complete answer that breaks the recipe's `answer`. The message names field and rule; it quotes no answer."""


def new_columns(recipe: Recipe, schema: dict[str, Any] | None) -> NewColumns:
    """Return the new columns of a recipe; `schema` is that of typed answers."""
    prefix = recipe.output.prefix
    if schema is None:
        answer: tuple[Column, ...] = (Column(prefix + (recipe.output.column or "answer")),)
    else:
        fields = properties_of(schema).items()
        answer = tuple(Column(prefix + field, _kind(inner, schema)) for field, inner in fields)
    raw = None if schema is None else f"{prefix}_raw"
    wanted = tuple(recipe.output.add)
    if recipe.escalate is not None and "model" not in wanted:
        wanted = (*wanted, "model")
    return NewColumns(answer, wanted, prefix, status=f"{prefix}_status", error=f"{prefix}_error", raw=raw)


def properties_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema's properties, by name."""
    properties: dict[str, Any] = resolved(schema, schema)["properties"]
    return properties


def _kind(schema: dict[str, Any], root: dict[str, Any]) -> ColumnKind:
    """Return the column's kind: the scalar's own if there is only one besides null, else `json`."""
    kinds = kinds_of(schema, root) - {"null"}
    if kinds == {"integer", "number"}:
        return "number"
    for scalar in ("string", "number", "integer", "boolean"):
        if kinds == {scalar}:
            return scalar
    return "json"


def kinds_of(schema: dict[str, Any], root: dict[str, Any]) -> set[str]:
    """Return the JSON types that a field's values may have; `any` where the schema does not say."""
    schema = resolved(schema, root)
    if "enum" in schema or "const" in schema:
        return {_kind_of_value(value) for value in schema.get("enum", [schema.get("const")])}
    if "type" in schema:
        return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    options = schema.get("anyOf", [])
    return set().union(*(kinds_of(option, root) for option in options)) if options else {"any"}


def enum_of(schema: dict[str, Any], root: dict[str, Any]) -> list[Any]:
    """Return the values of a field that has a fixed set of them; empty if it has not."""
    schema = resolved(schema, root)
    if "enum" in schema or "const" in schema:
        return [*schema.get("enum", [schema.get("const")])]
    options = [option for option in schema.get("anyOf", []) if kinds_of(option, root) != {"null"}]
    values = [enum_of(option, root) for option in options]
    return [value for some in values for value in some] if all(values) else []


def _kind_of_value(value: object) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return names.get(type(value), "any")


def is_nullable(schema: dict[str, Any]) -> bool:
    """Return whether a field of the recipe's `answer` is optional."""
    return {"type": "null"} in schema.get("anyOf", [])


def fitting(value: Any, column: Column, field: str) -> Any:
    """Return an integer as int, because JSON Schema accepts 1.0. Raises AnswerInvalid if no column can hold it."""
    if column.kind != "integer" or value is None:
        return value
    if int(value) not in _INT64:
        reason = f"'{field}' is an integer of more than 64 bits"
        raise AnswerInvalid(reason)
    return int(value)
