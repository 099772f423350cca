"""Read a pack's answer: which row got which object, and which rows must be sent alone."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from batchdrop.answers.code_fence import fenced
from batchdrop.answers.pack_schema import ROW, ROWS
from batchdrop.answers.shape import AnswerShape

CUT = "max_tokens"
NUMBERS, UNREADABLE = "numbers", "unreadable"
_JSON = json.JSONDecoder(strict=False)
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder().decode


class RowAnswer(NamedTuple):
    """A row's own answer as JSON text. `missed` says why the row is sent alone; empty if it is answered."""

    text: bytes
    missed: str = ""


class PackRefused(Exception):
    """No row of the pack can use the answer. The message is one word for the reason."""


def row_answers(text: str, stop_reason: str, count: int, shape: AnswerShape) -> list[RowAnswer]:
    """Return the answers of the pack's rows 1 to `count`, in this order.

    A row without an object, or with one that breaks the schema, is missed. A number that nobody asked for, or one with
    two different answers, shows that the model lost count: then no object is trusted.
    """
    try:
        found = _numbered(text, stop_reason, count, shape)
    except PackRefused as refused:
        return [RowAnswer(b"", str(refused))] * count
    why = "cut" if stop_reason == CUT else "missing"
    numbers = range(1, count + 1)
    objects = _checked(found, shape)
    return [objects[number] if number in objects else RowAnswer(b"", why) for number in numbers]


def _numbered(text: str, stop_reason: str, count: int, shape: AnswerShape) -> dict[int, dict[str, Any]]:
    """Return the objects by the rows' numbers. Raises PackRefused."""
    if stop_reason == CUT:
        objects = _whole_objects(text)
    elif shape.is_complete(stop_reason):
        objects = _objects(text)
    else:
        raise PackRefused(stop_reason)
    found: dict[int, dict[str, Any]] = {}
    for one in objects:
        number = one.pop(ROW, None) if isinstance(one, dict) else None
        if type(number) is not int or not 1 <= number <= count or found.setdefault(number, one) != one:
            raise PackRefused(NUMBERS)
    return found


def _objects(text: str) -> list[Any]:
    """Return the objects of a whole answer. Raises PackRefused if it is not the JSON that was asked for."""
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = _lenient(text)
    rows = value.get(ROWS) if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise PackRefused(UNREADABLE)
    return rows


def _lenient(text: str) -> Any:
    """Return JSON in a code fence, or with half a surrogate pair in one row's text; None for anything else."""
    try:
        return json.loads(fenced(text) or text)
    except (ValueError, RecursionError):
        return None


def _whole_objects(text: str) -> list[Any]:
    """Return the complete objects at the start of an answer that was cut."""
    at = text.find("[") + 1
    objects: list[Any] = []
    while at:
        at = text.find("{", at)
        if at < 0:
            break
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        objects.append(value)
    return objects


def _checked(found: dict[int, dict[str, Any]], shape: AnswerShape) -> dict[int, RowAnswer]:
    """Return the rows' answers, checked; nearly always all at once, which is quicker than one by one."""
    try:
        if shape.takes_all(found.values()):
            return {number: RowAnswer(_encode(value)) for number, value in found.items()}
    except UnicodeEncodeError:
        pass
    return {number: _checked_one(value, shape) for number, value in found.items()}


def _checked_one(value: dict[str, Any], shape: AnswerShape) -> RowAnswer:
    try:
        return RowAnswer(_encode(value), "" if shape.takes_all((value,)) else "invalid")
    except UnicodeEncodeError:  # half a surrogate pair
        return RowAnswer(b"", "invalid")
