"""Values for typed columns: what a column of a kind can hold, and what is said of a value that it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.answers.outcome import Outcome

INT64 = range(-(2**63), 2**63)
NOTE_CHARS = 1_000  # of a value that did not fit, in the error column


class DoesNotFit(Exception):  # caught where the row is filled, which notes it beside the row
    """A value that a column of this kind cannot hold; the message says why."""


class RowFitter:
    """Fills a row's columns, its own and the new ones. What does not fit is null, and the error column says so."""

    def __init__(self, own: Sequence[Column], new: NewColumns) -> None:
        self._own = tuple(own)
        self._new = new
        self._values_of = new.values_of()
        self._error = len(self._own) + new.names.index(new.error)

    def fit(self, own: Sequence[Any], outcome: Outcome) -> list[Any]:
        """Return the row's values, its own first; `own` are its own columns' in their order."""
        values = [*own, *self._values_of(outcome)]
        notes: list[str] = []
        for number, (column, value) in enumerate(zip((*self._own, *self._new.all), values, strict=True)):
            try:
                values[number] = None if value is None else fitted(value, column.kind)
            except DoesNotFit as reason:
                values[number] = None
                notes.append(f"column '{column.name}': {reason}")
        if notes:
            values[self._error] = "; ".join([*([values[self._error]] if values[self._error] else []), *notes])
        return values


def fitted(value: Any, kind: ColumnKind) -> Any:
    """Return a value as a column of a kind holds it. Raises DoesNotFit."""
    match kind:
        case "string":
            return text_of(value)
        case "json":
            return _json(value)
        case "boolean":
            return _boolean(value)
        case "integer":
            return _integer(value)
        case "number":
            return _number(value)


def text_of(value: Any) -> str:
    """Return a value as text: strings as they are, all else as JSON."""
    text = value if isinstance(value, str) else _json(value)
    return text.encode(errors="replace").decode()  # half a surrogate pair is no UTF-8


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):  # an integer of more than 64 bits, lone surrogates
        return _printed(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise DoesNotFit(_refusal(value, "is neither true nor false"))


def _integer(value: Any) -> int:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if not isinstance(whole, int) or isinstance(whole, bool):
        raise DoesNotFit(_refusal(value, "is no whole number"))
    if whole not in INT64:
        raise DoesNotFit(_refusal(value, "does not fit into 64 bits"))
    return whole


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DoesNotFit(_refusal(value, "is no number"))
    try:
        return float(value)
    except OverflowError as error:
        raise DoesNotFit(_refusal(value, "is larger than any 64-bit float")) from error


def _refusal(value: Any, reason: str) -> str:
    text = text_of(value)
    return f"{text if len(text) <= NOTE_CHARS else text[:NOTE_CHARS] + '…'} {reason}"


def _printed(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python prints no integer of more than 4,300 digits
        return hex(value) if isinstance(value, int) else object.__repr__(value)
