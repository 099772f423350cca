"""The limits of structured outputs on JSON schemas.

They follow the SDK's `transform_schema`, which rewrites a schema "to ensure it conforms to the API's expectations":
objects are closed, formats come from a list, and bounds on numbers, strings and arrays move into the description.
"""

from functools import lru_cache
from typing import Any

import msgspec

FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid", "text"},
)
_UNSUPPORTED = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "maxItems", "uniqueItems", "patternProperties", "minProperties", "maxProperties", "not", "if",
)  # fmt: skip
_SAYING = ("type", "enum", "const", "anyOf", "oneOf", "allOf")
_OPEN_OBJECT = "For 'object' type, 'additionalProperties' must be explicitly set to false"
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})


@lru_cache(maxsize=256)
def schema_fault(raw: bytes) -> str | None:
    """Return the fault of the schema, or None; results are cached by the schema's bytes."""
    schema = msgspec.json.decode(raw)
    try:
        return _fault(schema, schema, (), 0)
    except (TypeError, AttributeError):  # values of the wrong type
        return "Invalid JSON schema"


def _fault(schema: Any, root: Any, refs: tuple[str, ...], depth: int) -> str | None:
    if not isinstance(schema, dict):
        return "a schema must be an object"
    if depth > 50:  # noqa: PLR2004 - deep enough for any real schema, shallow enough for Python's stack
        return "Schema is too deep"
    if "$ref" in schema:
        return _ref_fault(schema["$ref"], root, refs, depth)
    own = _own_fault(schema)
    if own is not None:
        return own
    for inner in _inner_schemas(schema):
        fault = _fault(inner, root, refs, depth + 1)
        if fault is not None:
            return fault
    return None


def _ref_fault(ref: Any, root: Any, refs: tuple[str, ...], depth: int) -> str | None:
    if ref in refs:
        return "Recursive schemas are not supported"
    target = resolve_ref(ref, root)
    if target is None:
        return f"cannot resolve $ref {ref!r}"
    return _fault(target, root, (*refs, ref), depth + 1)


def _own_fault(schema: dict[str, Any]) -> str | None:
    """Return the first rule that this level of the schema breaks."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    rules = (
        (any(name is not None and name not in _TYPES for name in kinds), f"unknown type {kind!r}"),
        (schema.keys().isdisjoint(_SAYING), f"Schema must have one of {', '.join(_SAYING)}"),
        ("object" in kinds and schema.get("additionalProperties") is not False, _OPEN_OBJECT),
        (schema.get("format", "text") not in FORMATS, f"format {schema.get('format')!r} is not supported"),
        (schema.get("enum") == [], "'enum' must not be empty"),
        (schema.get("minItems", 0) not in {0, 1}, "'minItems' values other than 0 or 1 are not supported"),
        *((word in schema, f"For '{kind}' type, property '{word}' is not supported") for word in _UNSUPPORTED),
    )
    return next((fault for broken, fault in rules if broken), None)


def _inner_schemas(schema: dict[str, Any]) -> list[Any]:
    properties = schema.get("properties", {})
    inner = list(properties.values()) if isinstance(properties, dict) else [properties]
    if "items" in schema:
        inner.append(schema["items"])
    for word in ("anyOf", "oneOf", "allOf"):
        inner.extend(schema.get(word, []))
    return inner


def resolve_ref(ref: Any, root: Any) -> Any:
    """Return the target of a local `#/...` reference, or None."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    here = root
    for step in ref[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(here, dict) or name not in here:
            return None
        here = here[name]
    return here
