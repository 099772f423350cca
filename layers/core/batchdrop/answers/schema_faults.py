"""Explain why an answer breaks its schema: name the field and the rule, but never quote the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jsonschema_rs

_MAX_LISTED = 8
_MAX_NAME = 40


def explain(error: jsonschema_rs.ValidationError) -> str:
    """Return the reason: `'confidence' must be a number, but it is text`."""
    place = _place(error.instance_path)
    kind, details = error.kind.name, error.kind.as_dict()
    match kind:
        case "type":
            return f"{place} must be {_either(details['types'])}, but it is {_kind(error.instance)}"
        case "enum":
            return f"{place} must be one of: {_listed(details['options'])}"
        case "required":
            return f"{_place([*error.instance_path, details['property']])} is missing"
        case "additionalProperties":
            return f"{place} has an unknown field '{_short(str(details['unexpected'][0]))}'"
        case "anyOf":
            types = [cause.kind.as_dict().get("types", []) for branch in details["context"] for cause in branch[:1]]
            wanted = _either([name for names in types for name in names])
            return (
                f"{place} must be {wanted}, but it is {_kind(error.instance)}"
                if wanted
                else f"{place} has none of the allowed types"
            )
        case _:
            return f"{place} breaks the schema's '{kind}'"


def _place(path: list[Any]) -> str:
    if not path:
        return "the answer"
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{_short(step)}" for step in path)
    return f"'{steps.removeprefix('.')}'"


def _either(types: list[str]) -> str:
    articles = {"integer": "an integer", "array": "a list", "object": "an object", "string": "text", "null": "null"}
    words = dict.fromkeys(articles.get(name, "true or false" if name == "boolean" else f"a {name}") for name in types)
    return " or ".join(words)


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _listed(options: list[Any]) -> str:
    shown = ", ".join(_short(str(option)) for option in options[:_MAX_LISTED])
    return shown + (", …" if len(options) > _MAX_LISTED else "")


def _short(text: str) -> str:
    return text if len(text) <= _MAX_NAME else f"{text[:_MAX_NAME]}…"
