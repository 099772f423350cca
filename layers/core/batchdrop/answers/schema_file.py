"""Check the user's own JSON schema for answers against the rules of the API's structured outputs.

The rules are from Anthropic's page on structured outputs and the SDK's `transform_schema`. batchdrop checks them before
anything is spent, because the API checks the `params` of each request, hours later.
"""

from __future__ import annotations

from typing import Any

from batchdrop.errors import RecipeRejected

MAX_SCHEMA_UNIONS = 16  # structured outputs: at most 16 parameters with union types (anyOf, lists of types) a request
MAX_SCHEMA_OPTIONALS = 24  # structured outputs: at most 24 optional parameters a request

FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid", "text")
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
MAX_DEPTH = 50

_TYPE_WORDS = ("type", "enum", "const", "anyOf", "allOf")
_TAKEN = {
    *_TYPE_WORDS, "$ref", "$defs", "definitions", "properties", "required", "additionalProperties", "items", "minItems",
    "format", "title", "description", "default",
}  # fmt: skip
_ROOT_ONLY = ("$schema", "$id", "$comment")  # for people and editors; they are not sent
_FIXES = {
    "oneOf": "write 'anyOf'",
    "patternProperties": "name each property",
    "propertyNames": "name each property",
    "prefixItems": "use an object with a property for each place",
    "$dynamicRef": "use '$ref' to '#/$defs/…'",
}
_DEFAULT_FIX = "remove it, and write it in 'description' if the model should know it"


def checked_schema(schema: object, *, name: str, file: str) -> dict[str, Any]:
    """Return the schema as it is sent to the API: an object with properties.

    `name` is the recipe's file, `file` the schema's file as the recipe names it. Raises RecipeRejected with place and
    fix.
    """
    return _Check(schema, f"{name}: {file}").checked()


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that `$ref` of a checked schema leads to; itself if it has none."""
    while "$ref" in schema:
        schema = _target(schema["$ref"], root)
    return schema


class _Check:
    def __init__(self, root: object, where: str) -> None:
        self._where = where
        if not isinstance(root, dict):
            raise self._refusal((), "a schema must be an object", 'write {"type": "object", "properties": …}')
        self._root = {word: value for word, value in root.items() if word not in _ROOT_ONLY}
        self._done: set[str] = set()  # places that were walked: each is walked once, even if several `$ref` lead to it
        self._unions = self._optionals = 0

    def checked(self) -> dict[str, Any]:
        self._walk(self._root, (), (), 0)
        top = resolved(self._root, self._root)
        if top.get("type") != "object" or not top.get("properties"):
            raise self._refusal((), "it must be an object with properties", "each property becomes a column")
        if self._unions > MAX_SCHEMA_UNIONS:
            found = f"{self._unions} places allow more than one type ('anyOf', lists of types)"
            raise self._refusal((), f"{found}, but the API takes at most {MAX_SCHEMA_UNIONS}", "make it simpler")
        if self._optionals > MAX_SCHEMA_OPTIONALS:
            found = f"{self._optionals} properties are not required, but the API takes at most {MAX_SCHEMA_OPTIONALS}"
            raise self._refusal((), found, "list more of them in 'required'")
        return self._root

    def _walk(self, schema: Any, path: tuple[str, ...], refs: tuple[str, ...], depth: int) -> None:
        if not isinstance(schema, dict):
            raise self._refusal(path, "a schema must be an object", 'write {"type": …}')
        if depth > MAX_DEPTH:
            raise self._refusal(path[:6], f"nested deeper than {MAX_DEPTH} levels", "make it flatter")
        self._keywords(schema, path)
        if "$ref" in schema:
            self._ref(schema["$ref"], path, refs, depth)
        else:
            self._types(schema, path)
            self._values(schema, path)
            self._object(schema, path)
        for place, inner in self._inner(schema, path):
            pointer = "/".join(("#", *path, *place))
            if pointer not in self._done:
                self._walk(inner, (*path, *place), refs, depth + 1)
                self._done.add(pointer)

    def _keywords(self, schema: dict[str, Any], path: tuple[str, ...]) -> None:
        for word in schema:
            if word not in _TAKEN:
                raise self._refusal(
                    (*path, str(word)), "the API does not take this keyword", _FIXES.get(word, _DEFAULT_FIX)
                )
        for word in ("title", "description"):
            if not isinstance(schema.get(word, ""), str):
                raise self._refusal((*path, word), "it must be text", "write it in quotes")

    def _ref(self, ref: object, path: tuple[str, ...], refs: tuple[str, ...], depth: int) -> None:
        here = (*path, "$ref")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            raise self._refusal(here, "the API follows references into the same file only", "copy it to '$defs'")
        if ref in refs:
            raise self._refusal(here, "the API refuses a schema that contains itself", "write out the levels you need")
        try:
            target = _target(ref, self._root)
        except (KeyError, TypeError):
            raise self._refusal(here, f"there is nothing at '{ref}'", "fix the reference") from None
        if ref not in self._done:
            self._walk(target, tuple(ref[2:].split("/")), (*refs, ref), depth + 1)
            self._done.add(ref)

    def _types(self, schema: dict[str, Any], path: tuple[str, ...]) -> None:
        if schema.keys().isdisjoint(_TYPE_WORDS):
            raise self._refusal(path, "it has no type", f"write one of {', '.join(_TYPE_WORDS)}")
        kinds = schema.get("type", [])
        kinds = kinds if isinstance(kinds, list) else [kinds]
        for kind in kinds:
            if kind not in TYPES:
                raise self._refusal((*path, "type"), f"unknown type {kind!r}", f"write one of {', '.join(TYPES)}")
        self._unions += len(kinds) > 1 or "anyOf" in schema

    def _values(self, schema: dict[str, Any], path: tuple[str, ...]) -> None:
        values = schema.get("enum", [None])
        if not isinstance(values, list) or not values or any(isinstance(value, dict | list) for value in values):
            raise self._refusal((*path, "enum"), "it must be a list of texts, numbers, true, false or null", "fix it")
        if schema.get("format", "text") not in FORMATS:
            fix = f"use one of {', '.join(FORMATS)}, or write it in 'description'"
            raise self._refusal((*path, "format"), f"the API does not take {schema['format']!r}", fix)
        if schema.get("minItems", 0) not in (0, 1):
            raise self._refusal((*path, "minItems"), "the API takes 0 and 1 only", _DEFAULT_FIX)

    def _object(self, schema: dict[str, Any], path: tuple[str, ...]) -> None:
        kinds = schema.get("type", [])
        if "object" in kinds and schema.get("additionalProperties") is not False:
            raise self._refusal(path, "the API takes closed objects only", 'add "additionalProperties": false')
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, dict):
            raise self._refusal((*path, "properties"), "it must be an object of schemas", "fix it")
        if not isinstance(required, list):
            raise self._refusal((*path, "required"), "it must be a list", "list names of properties")
        unknown = [each for each in required if str(each) not in properties]
        if unknown:
            raise self._refusal((*path, "required"), f"{unknown[0]!r} is not a property", "list names of properties")
        self._optionals += len(properties) - len({str(each) for each in required})

    def _inner(self, schema: dict[str, Any], path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
        inner: list[tuple[tuple[str, ...], Any]] = []
        for word in ("properties", "$defs", "definitions"):
            named = schema.get(word, {})
            if not isinstance(named, dict):
                raise self._refusal((*path, word), "it must be an object of schemas", "fix it")
            inner += [((word, key), value) for key, value in named.items()]
        if "items" in schema:
            inner.append((("items",), schema["items"]))
        for word in ("anyOf", "allOf"):
            options = schema.get(word, [None])
            if not isinstance(options, list) or not options:
                raise self._refusal((*path, word), "it must be a list of schemas", "fix it")
            inner += [((word, str(place)), option) for place, option in enumerate(schema.get(word, []))]
        return inner

    def _refusal(self, path: tuple[str, ...], reason: str, fix: str) -> RecipeRejected:
        return RecipeRejected(f"{self._where}, at '{'.'.join(path) or 'its top'}': {reason}; {fix}")


def _target(ref: str, root: dict[str, Any]) -> dict[str, Any]:
    here: Any = root
    for step in ref[2:].split("/"):
        here = here[step.replace("~1", "/").replace("~0", "~")]
    if not isinstance(here, dict):
        raise TypeError(ref)
    return here
