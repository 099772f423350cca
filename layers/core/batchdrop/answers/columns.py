"""The output's new columns: the answer's own, then the details of each row's fate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, Protocol

STATUS, ERROR = "_status", "_error"
RAW = "_raw"  # text that could not be split into columns: a row's in failed.jsonl, or a typed answer's
ROW = "_row"  # of failed.jsonl and perhaps-paid.jsonl: the row's number in the file, from 1
CUSTOM_ID, MESSAGE_BATCH, ATTEMPTS = "_custom_id", "_message_batch", "_attempts"  # of perhaps-paid.jsonl

ColumnKind = Literal["string", "number", "integer", "boolean", "json"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the output. `json` holds lists and objects, as JSON text if the format has no such values."""

    name: str
    kind: ColumnKind = "string"


# The columns of `output.add`, by their names there.
ADDED_KINDS: dict[str, ColumnKind] = {
    "thinking": "string", "citations": "json", "tool_use": "json", "usage": "json", "cost": "number",
    "stop_reason": "string", "model": "string", "request_id": "string", "custom_id": "string",
    "answered_at": "string", "answered_by": "string",
}  # fmt: skip


class RowEnd(Protocol):
    """What a row's new cells are read from: an `Outcome`, with an attribute for each detail."""

    @property
    def values(self) -> tuple[Any, ...]:
        """Return the answer's values; empty where no answer fills the columns."""

    @property
    def added(self) -> tuple[Any, ...]:
        """Return the values of the columns that `output.add` names; empty where they are not known."""


@dataclass(frozen=True, slots=True)
class NewColumns:
    """The columns that batchdrop adds after the input's own: the answer's, those of `output.add`, then the details.

    Each detail is an attribute of `Outcome`; only `details` names them. `raw` exists only for typed answers: it has
    the text of an answer that could not fill its columns. `wanted` are the names in `output.add`, in its order.
    """

    answer: tuple[Column, ...] = (Column("answer"),)
    wanted: tuple[str, ...] = ()
    prefix: str = ""
    status: str = STATUS
    error: str = ERROR
    raw: str | None = None

    @property
    def details(self) -> dict[str, Column]:
        """Return the columns of the details, by the attribute of `Outcome` that fills them."""
        columns = {"status": Column(self.status), "error": Column(self.error)}
        return columns | ({"raw": Column(self.raw)} if self.raw else {})

    @property
    def added(self) -> tuple[Column, ...]:
        """Return the columns that `output.add` names."""
        return tuple(Column(f"{self.prefix}_{name}", ADDED_KINDS[name]) for name in self.wanted)

    @property
    def all(self) -> tuple[Column, ...]:
        """Return every new column, in the output's order."""
        return (*self.answer, *self.added, *self.details.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Return the new columns' names."""
        return tuple(column.name for column in self.all)

    def cells_of(self) -> Callable[[RowEnd], tuple[Any, ...]]:
        """Return a function that reads an outcome's values for `answer` and `added`; empty ones are None."""
        blank, none = (None,) * len(self.answer), (None,) * len(self.wanted)
        if not self.wanted:
            return lambda outcome: outcome.values or blank
        return lambda outcome: (outcome.values or blank) + (outcome.added or none)

    def details_of(self) -> Callable[[RowEnd], tuple[Any, ...]]:
        """Return a function that reads an outcome's details, in order; empty details are ""."""
        return attrgetter(*self.details)

    def values_of(self) -> Callable[[RowEnd], list[Any]]:
        """Return a function that reads an outcome's values for `all`; empty ones are None."""
        details_of, cells_of = self.details_of(), self.cells_of()
        return lambda outcome: [*cells_of(outcome), *(detail or None for detail in details_of(outcome))]
