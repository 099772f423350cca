"""Values for typed columns: what fits, and the note for a value that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from batchdrop.answers.columns import Column, ColumnKind, NewColumns
from batchdrop.answers.outcome import Outcome

INT64 = range(-(2**63), 2**63)
NOTE_CHARS = 1_000  # characters of a value that did not fit, in the error column


class DoesNotFit(Exception):  # caught in RowFitter, which adds the note to the row
    """A value that does not fit a column of this kind; the message says why."""


class RowFitter:
    """Fills a row's own and new columns. A value that does not fit becomes null, with a note in the error column."""

    def __init__(self, own: Sequence[Column], new: NewColumns) -> None:
        self._own = tuple(own)
        self._new = new
        self._values_of = new.values_of()
        self._error = len(self._own) + new.names.index(new.error)

    def fit(self, own: Sequence[Any], outcome: Outcome) -> list[Any]:
        """Return the row's values, its own first; `own` are in the order of its own columns."""
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
    """Return a value in the column's type. Raises DoesNotFit."""
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
    """Return a value as text: strings unchanged, anything else as JSON."""
    text = value if isinstance(value, str) else _json(value)
    return text.encode(errors="replace").decode()  # half a surrogate pair is not valid UTF-8


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
        raise DoesNotFit(_refusal(value, "is not a whole number"))
    if whole not in INT64:
        raise DoesNotFit(_refusal(value, "does not fit into 64 bits"))
    return whole


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DoesNotFit(_refusal(value, "is not a number"))
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
    except ValueError:  # Python does not print integers of more than 4,300 digits
        return hex(value) if isinstance(value, int) else object.__repr__(value)
