"""Turn a recipe's `answer`, field by field, into the JSON schema for the API's structured outputs."""

from __future__ import annotations

import math
from typing import Any

from batchdrop.answers.schema_file import MAX_SCHEMA_UNIONS
from batchdrop.recipe.words import fault, kind, nearest, refuse_unknown_keys

SCALARS = ("string", "number", "integer", "boolean")
TYPE_KEYS = ("type", "enum", "list", "object")  # a field has exactly one of them
FIELD_KEYS = (*TYPE_KEYS, "optional", "description")
MAX_NESTING = 10  # ours: deeper answers are a mistake, and the API has a limit, too
FEW = 6  # values that a message shows

_OTHER_WORDS = {
    "str": "string",
    "text": "string",
    "date": "string, with a description of the form",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "array": "{list: string}",
    "list": "{list: string}",
    "object": "{object: {…}}",
    "enum": "{enum: [a, b]}",
}


def answer_schema(fields: dict[str, Any], *, name: str) -> dict[str, Any]:
    """Return the schema of a recipe's `answer`: closed, without bounds, every field required.

    An optional field is required, too, but may be null. Raises RecipeRejected with the field's name.
    """
    schema = _object(fields, "answer", name)
    unions = _count_unions(schema)
    if unions > MAX_SCHEMA_UNIONS:
        reason = (
            f"{unions} fields are optional, but the API takes at most {MAX_SCHEMA_UNIONS}; make some of them required"
        )
        raise fault(name, "answer", reason)
    return schema


def _object(fields: object, path: str, name: str) -> dict[str, Any]:
    if not isinstance(fields, dict) or not fields:
        raise fault(name, path, f"it is {_none(fields)}; write one line per field, such as 'label: string'")
    if path.count(".") > 2 * MAX_NESTING:
        raise fault(name, path, f"nested deeper than {MAX_NESTING} levels; make the answer flatter")
    properties = {}
    for field, spec in fields.items():
        if not isinstance(field, str) or not field.strip() or field != field.strip():
            raise fault(name, path, f"field {field!r}: a field's name must be text without spaces around it; quote it")
        properties[field] = _type(spec, f"{path}.{field}", name)
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _type(spec: object, path: str, name: str) -> dict[str, Any]:
    match spec:
        case str():
            return _scalar(spec, path, name)
        case dict():
            return _from_mapping(spec, path, name)
        case list() if spec:
            shown = ", ".join(map(str, spec[:FEW])) + (", …" if len(spec) > FEW else "")
            raise fault(name, path, f"it is a list; for an answer that is one of these, write {{enum: [{shown}]}}")
        case _:
            reason = (
                f"it is {_none(spec)}; write {', '.join(SCALARS)}, or one of {{enum: …}}, {{list: …}}, {{object: …}}"
            )
            raise fault(name, path, reason)


def _scalar(word: str, path: str, name: str) -> dict[str, Any]:
    base = word.removesuffix("?")
    if base not in SCALARS:
        hint = f"; did you mean {_OTHER_WORDS[base]}?" if base in _OTHER_WORDS else nearest(base, SCALARS)
        reason = f"unknown type '{word}'{hint} (types: {', '.join(SCALARS)}; an optional field ends with '?')"
        raise fault(name, path, reason)
    schema = {"type": base}
    return schema if base == word else _or_null(schema)


def _from_mapping(spec: dict[object, object], path: str, name: str) -> dict[str, Any]:
    refuse_unknown_keys(spec, FIELD_KEYS, name=name, path=f"{path}.")
    present = [key for key in TYPE_KEYS if key in spec]
    if len(present) != 1:
        found = " and ".join(present) or "none of them"
        raise fault(name, path, f"write exactly one of {', '.join(TYPE_KEYS)}; it has {found}")
    optional, description = spec.get("optional", False), spec.get("description", "")
    if not isinstance(optional, bool):
        raise fault(name, f"{path}.optional", f"it is {kind(optional)}; write true or false")
    if not isinstance(description, str):
        raise fault(name, f"{path}.description", f"it is {kind(description)}; write text, in quotes if need be")
    schema = _schema_of(present[0], spec[present[0]], f"{path}.{present[0]}", name)
    if optional and "anyOf" not in schema:
        schema = _or_null(schema)
    return {**schema, "description": description} if description else schema


def _schema_of(key: str, spec: object, path: str, name: str) -> dict[str, Any]:
    match key:
        case "enum":
            return {"enum": _values(spec, path, name)}
        case "list":
            if path.count(".") > 2 * MAX_NESTING:
                raise fault(name, path, f"nested deeper than {MAX_NESTING} levels; make the answer flatter")
            return {"type": "array", "items": _type(spec, path, name)}
        case "object":
            return _object(spec, path, name)
        case _:
            if not isinstance(spec, str):
                raise fault(name, path, f"it is {_none(spec)}; write one of {', '.join(SCALARS)}")
            return _scalar(spec, path, name)


def _values(spec: object, path: str, name: str) -> list[Any]:
    if not isinstance(spec, list) or not spec:
        raise fault(name, path, f"it is {_none(spec)}; list the values: [positive, negative]")
    for value in spec:
        if isinstance(value, bool):
            reason = f"YAML reads an unquoted yes, no, on or off as {str(value).lower()}; quote it, or write 'boolean'"
            raise fault(name, path, reason)
        if value is None:
            raise fault(name, path, "a value is empty; quote it, or make the field optional")
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise fault(name, path, f"a value is {kind(value)}; values must be texts or numbers")
    if len({isinstance(value, str) for value in spec}) > 1:
        raise fault(name, path, "texts and numbers are mixed; quote the numbers")
    if len(set(spec)) < len(spec):
        raise fault(name, path, "a value is listed twice; remove one")
    return list(spec)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _count_unions(schema: Any) -> int:
    if isinstance(schema, list):
        return sum(map(_count_unions, schema))
    if not isinstance(schema, dict):
        return 0
    inner = [*schema.get("properties", {}).values(), schema.get("items"), *schema.get("anyOf", [])]
    return ("anyOf" in schema) + sum(map(_count_unions, inner))


def _none(value: object) -> str:
    return "empty" if value in (None, {}, [], "") else kind(value)
