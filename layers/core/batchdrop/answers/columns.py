"""What an answer becomes in the output: its columns, and the two or three that tell how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

STATUS, ERROR = "_status", "_error"
RAW = "_raw"  # text that could not be taken apart: of a row in failed.jsonl, or of a typed answer

ColumnKind = Literal["string", "number", "integer", "boolean", "json"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the output. `json` holds lists and objects: as JSON text where the format knows no such values."""

    name: str
    kind: ColumnKind = "string"


@dataclass(frozen=True, slots=True)
class NewColumns:
    """The columns that batchdrop puts behind the input's own: the answer's, then `status` and `error`.

    `raw` stands only beside typed answers: the text of an answer that could not fill its columns.
    """

    answer: tuple[Column, ...] = (Column("answer"),)
    status: str = STATUS
    error: str = ERROR
    raw: str | None = None

    @property
    def all(self) -> tuple[Column, ...]:
        """Return every new column, in the output's order."""
        names = (self.status, self.error, *([self.raw] if self.raw else []))
        return (*self.answer, *(Column(name) for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the new columns' names."""
        return tuple(column.name for column in self.all)

    def values(self, answer: tuple[Any, ...], status: str, error: str, raw: str) -> list[Any]:
        """Return one row's values for `all`; None where there is nothing to say."""
        filled = list(answer) if answer else [None] * len(self.answer)
        return [*filled, status, error or None, *([raw or None] if self.raw else [])]
