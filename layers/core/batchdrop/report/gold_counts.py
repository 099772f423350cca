"""Count how often answers agree with the truth that the file's own columns hold, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import msgspec

from batchdrop.answers.gold import GoldField, TruthUnreadable, is_right
from batchdrop.answers.outcome import Outcome
from batchdrop.report.histogram import MOST_VALUES, Spread
from batchdrop.requests.row import Row, StoredRow

MOST_ROWS = 20  # wrong rows that are listed
LONGEST_TEXT = 120  # characters of a listed text
NO_ANSWER = "(none)"  # the answer of an optional field that the model left out

CellsOf = Callable[[str], dict[str, Any] | None]


class WrongRow(msgspec.Struct, frozen=True):
    """A row whose answer disagrees with its truth. `row` counts from 1."""

    row: int
    truth: str
    answer: str


class UnreadableRow(msgspec.Struct, frozen=True):
    """A row whose gold cell does not fit the answer's type."""

    row: int
    reason: str


class GoldCounts(msgspec.Struct):
    """The counts of one answer field. `truths` counts the rows with a truth, `answered` those of them with an answer.

    `confusion` counts answers by truth, of a field with labels; pairs beyond MOST_VALUES labels a side are left out.
    `errors` are the answers minus their truths, of a number field; `difference` is their sum, and `absolute` that of
    their sizes. `wrong` and `unreadable_rows` are the first of their kind. `unreadable` counts the
    cells that hold no truth.
    """

    column: str
    name: str
    kind: Literal["label", "number", "text"]
    truths: int = 0
    answered: int = 0
    right: int = 0
    confusion: dict[str, dict[str, int]] = {}
    errors: Spread = msgspec.field(default_factory=Spread)
    difference: float = 0.0
    absolute: float = 0.0
    wrong: list[WrongRow] = []
    unreadable: int = 0
    unreadable_rows: list[UnreadableRow] = []

    def add(self, row: int, truth: str | float, given: str | float | None) -> None:
        """Add an answered row with a truth."""
        self.answered += 1
        self._count_pair(_written(truth), NO_ANSWER if given is None else _written(given), 1)
        if isinstance(truth, float) and isinstance(given, float) and isfinite(given - truth):
            self.errors.add({given - truth: 1})
            self.difference += given - truth
            self.absolute += abs(given - truth)
        if is_right(truth, given):
            self.right += 1
        elif len(self.wrong) < MOST_ROWS:
            self.wrong.append(WrongRow(row, _written(truth), NO_ANSWER if given is None else _written(given)))

    def merge(self, other: GoldCounts) -> None:
        """Add the counts of a shard that comes later in the file."""
        for name in ("truths", "answered", "right", "difference", "absolute", "unreadable"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for truth, answers in other.confusion.items():
            for answer, times in answers.items():
                self._count_pair(truth, answer, times)
        self.errors.merge(other.errors)
        self.wrong = [*self.wrong, *other.wrong][:MOST_ROWS]
        self.unreadable_rows = [*self.unreadable_rows, *other.unreadable_rows][:MOST_ROWS]

    def _count_pair(self, truth: str, answer: str, times: int) -> None:
        if self.kind != "label" or (truth not in self.confusion and len(self.confusion) >= MOST_VALUES):
            return
        own = self.confusion.setdefault(truth, {})
        if answer in own or len(own) < MOST_VALUES:
            own[answer] = own.get(answer, 0) + times


GoldByField = dict[str, GoldCounts]


def merge_gold(own: GoldByField, others: Mapping[str, GoldCounts]) -> None:
    """Add the counts of another shard, by field."""
    for field, counts in others.items():
        own.setdefault(field, GoldCounts(counts.column, counts.name, counts.kind)).merge(counts)


class GoldCounter:
    """Fills the counts of a shard. A row that has no usable answer counts as a truth without an answer."""

    def __init__(self, counts: GoldByField, fields: Sequence[GoldField], cells_of: CellsOf) -> None:
        self._cells_of = cells_of
        self._fields = [
            (one, counts.setdefault(one.field, GoldCounts(one.column, one.name, one.kind))) for one in fields
        ]

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Add the next rows of the shard."""
        for row, outcome in zip(rows, outcomes, strict=True):
            self.add_cells(row.row, self._cells_of(row.raw) or {}, outcome)

    def add_unsent(self, rows: Sequence[Row]) -> None:
        """Add rows before they are sent, to count their truths."""
        for row in rows if self._fields else ():
            self.add_cells(row.number, row.cells, None)

    def add_cells(self, row: int, cells: Mapping[str, Any], outcome: Outcome | None) -> None:
        """Add a row by its cells, with its outcome if it was sent."""
        for field, counts in self._fields:
            try:
                truth = field.truth(cells.get(field.column))
            except TruthUnreadable as error:
                counts.unreadable += 1
                if len(counts.unreadable_rows) < MOST_ROWS:
                    counts.unreadable_rows.append(UnreadableRow(row, str(error)))
                continue
            if truth is None:
                continue
            counts.truths += 1
            if outcome is not None and outcome.fate == "answered":
                counts.add(row, truth, field.given(outcome.values[field.place]))


def _written(value: str | float) -> str:
    text = f"{value:.10g}" if isinstance(value, float) else " ".join(value.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
