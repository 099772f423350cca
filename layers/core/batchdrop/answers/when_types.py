"""Check `escalate.when` against the types of the answer, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchdrop.answers.schema_columns import enum_of, kinds_of, properties_of
from batchdrop.recipe.when import (
    ORDERS,
    All,
    Comparison,
    Condition,
    Some,
    Status,
    WhenInvalid,
    comparisons,
    parse_when,
    place,
    statuses,
)
from batchdrop.recipe.words import fault, nearest

_KINDS = {bool: {"boolean"}, int: {"integer", "number"}, float: {"number"}, str: {"string"}}
_WORDS = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "string": "a text in quotes"}


def check_when(when: str | Sequence[str], schema: dict[str, Any] | None, *, name: str) -> None:
    """Raise RecipeRejected if no answer can meet `when`.

    `schema` is that of typed answers, None for text answers. `name` is the recipe's file.
    """
    for text in [when] if isinstance(when, str) else when:
        try:
            for alternative in parse_when(text):
                _check(alternative.condition, text, schema)
        except WhenInvalid as error:
            raise fault(name, "escalate.when", str(error)) from error


def _check(condition: Condition, text: str, schema: dict[str, Any] | None) -> None:
    if schema is None and "invalid" in statuses(condition):
        message = "the recipe has no 'answer', so no answer can be invalid; add 'answer', or remove 'invalid'"
        raise WhenInvalid(message)
    _check_conjunctions(condition, text)
    for comparison in comparisons(condition):
        reason = _fault_of(comparison, schema)
        if reason:
            raise WhenInvalid(f"{place(text, comparison.at)}: {reason}")


def _check_conjunctions(condition: Condition, text: str) -> None:
    if isinstance(condition, All):
        for part in condition.parts:
            if isinstance(part, Status):
                reason = f"an answer with the status {part.status} has no fields, and one status; join it with 'or'"
                raise WhenInvalid(f"{place(text, part.at)}: {reason}")
    if isinstance(condition, All | Some):
        for part in condition.parts:
            _check_conjunctions(part, text)


def _fault_of(one: Comparison, schema: dict[str, Any] | None) -> str:
    """Return why no answer can be compared like this; empty if it can."""
    if schema is None:
        return f"the recipe has no 'answer', so there is no field '{one.field}'; add 'answer', or name statuses"
    fields = properties_of(schema)
    if one.field not in fields:
        return f"the answer has no field '{one.field}'{nearest(one.field, fields)} (fields: {', '.join(fields)})"
    kinds = kinds_of(fields[one.field], schema)
    if one.value is None:
        return _fault_of_null(one, kinds)
    return _fault_of_kind(one, kinds) or _fault_of_enum(one, enum_of(fields[one.field], schema))


def _fault_of_kind(one: Comparison, kinds: set[str]) -> str:
    """Return why a value of these types is never compared like this; empty if it can be."""
    if kinds - {"null", *_WORDS}:
        return f"'{one.field}' can be a list or an object; compare numbers, texts, enums and booleans"
    if one.operator in ORDERS and not kinds - {"null"} <= {"integer", "number"}:
        return f"'{one.field}' is not a number, so '{one.operator}' cannot order it; compare with == or !="
    if one.operator in ORDERS and isinstance(one.value, str | bool):
        return f"'{one.operator}' needs a number, such as {one.field} {one.operator} 0.8"
    if one.operator not in ORDERS and not kinds & _KINDS[type(one.value)]:
        wanted = " or ".join(_WORDS[kind] for kind in sorted(kinds & _WORDS.keys()))
        return f"'{one.field}' is never {_shown(one.value)}; compare it with {wanted}"
    return ""


def _fault_of_null(one: Comparison, kinds: set[str]) -> str:
    if one.operator in ORDERS:
        return "null cannot be ordered; compare with == or !="
    return "" if kinds & {"null", "any"} else f"'{one.field}' is never null; end its type with '?', or compare a value"


def _fault_of_enum(one: Comparison, values: list[Any]) -> str:
    if not values or one.operator in ORDERS or one.value in values:
        return ""
    listed = ", ".join(map(_shown, values))
    return f"'{one.field}' is never {_shown(one.value)}{nearest(one.value, map(str, values))} (values: {listed})"


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
