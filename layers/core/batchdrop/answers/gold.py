"""Read the truth that a file's own columns hold for some rows, and compare answers with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any, Literal, TypeGuard

from batchdrop.answers.columns import NewColumns
from batchdrop.answers.schema_columns import enum_of, kinds_of, properties_of
from batchdrop.errors import RowRejected
from batchdrop.recipe.words import fault, nearest

GoldKind = Literal["label", "number", "text"]

_CLOSE = 1e-9  # relative: a number that was written and read again is the same
_SHOWN = 60  # characters of a cell in a message


class TruthUnreadable(ValueError):
    """A gold cell does not fit the answer's type. The message says why, without the row."""


@dataclass(frozen=True, slots=True)
class GoldField:
    """An answer field with a column of the file that holds its truth.

    `name` and `place` are those of the output column of the answer. `values` are the labels of kind `label`.
    """

    field: str
    column: str
    name: str
    place: int
    kind: GoldKind
    values: tuple[str, ...] = ()
    is_boolean: bool = False

    def truth(self, cell: Any) -> str | float | None:
        """Return the truth that a cell holds: a label, a text or a number. None for an empty cell.

        Raises TruthUnreadable.
        """
        try:
            text = label_of(cell).strip()
        except RowRejected as error:  # a cell of a spreadsheet that has no value, such as #REF!
            raise TruthUnreadable(f"column '{self.column}': {error}") from error
        if not text:
            return None
        if self.kind == "number":
            return self._number(text)
        return self._label(text) if self.kind == "label" else text

    def given(self, value: Any) -> str | float | None:
        """Return an answer's value in the form of a truth; None for a missing one."""
        if value is None:
            return None
        return float(value) if self.kind == "number" else label_of(value).strip()

    def _number(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            reason = f"column '{self.column}' has '{_short(text)}', but '{self.field}' is a number"
            raise TruthUnreadable(reason)
        return number

    def _label(self, text: str) -> str:
        label = text.lower() if self.is_boolean else text.removesuffix(".0") if text not in self.values else text
        if label in self.values:
            return label
        reason = f"column '{self.column}' has '{_short(text)}', but '{self.field}' is one of {', '.join(self.values)}"
        raise TruthUnreadable(reason + nearest(text, self.values))


def is_right(truth: str | float, given: str | float | None) -> bool:
    """Return whether an answer agrees with the truth. Numbers agree if they are equal as written."""
    if _is_number(truth) and _is_number(given):
        return isclose(truth, given, rel_tol=_CLOSE, abs_tol=1e-12)
    return truth == given


def _is_number(value: str | float | None) -> TypeGuard[float]:
    return isinstance(value, float)


def label_of(value: Any) -> str:
    """Return a value as in JSON: `true`, `3`, or the text itself; empty for None."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def gold_fields(
    gold: dict[str, str], schema: dict[str, Any] | None, columns: NewColumns, *, name: str
) -> tuple[GoldField, ...]:
    """Return the fields of the recipe's `gold`. `schema` is that of typed answers, None for text answers.

    Raises RecipeRejected if a key is not a field that can be compared. `name` is the recipe's file.
    """
    if schema is None:
        [own] = columns.answer
        return tuple(_of_text(field, column, own.name, name) for field, column in gold.items())
    return tuple(_of_field(field, column, schema, columns, name) for field, column in gold.items())


def _of_text(field: str, column: str, own: str, name: str) -> GoldField:
    if field != own:
        reason = f"the answer is one text, in the column '{own}'; write 'gold: {{{own}: {column}}}', or add 'answer'"
        raise fault(name, f"gold.{field}", reason)
    return GoldField(field, column, own, 0, "text")


def _of_field(field: str, column: str, schema: dict[str, Any], columns: NewColumns, name: str) -> GoldField:
    fields = properties_of(schema)
    if field not in fields:
        reason = f"the answer has no field '{field}'{nearest(field, fields)} (fields: {', '.join(fields)})"
        raise fault(name, f"gold.{field}", reason)
    place = [*fields].index(field)
    own = columns.answer[place].name
    kinds = kinds_of(fields[field], schema) - {"null"}
    values = tuple(label_of(value) for value in enum_of(fields[field], schema) if value is not None)
    if kinds == {"boolean"}:
        return GoldField(field, column, own, place, "label", values or ("true", "false"), is_boolean=True)
    if values and kinds <= {"string", "integer", "number", "boolean"}:
        return GoldField(field, column, own, place, "label", values)
    if kinds and kinds <= {"integer", "number"}:
        return GoldField(field, column, own, place, "number")
    if kinds == {"string"}:
        return GoldField(field, column, own, place, "text")
    reason = f"'{field}' is a list or an object; compare enums, booleans, numbers and texts"
    raise fault(name, f"gold.{field}", reason)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
