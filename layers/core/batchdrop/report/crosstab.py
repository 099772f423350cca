"""Count labels of an answer by the values of the file's columns, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import msgspec

from batchdrop.requests.row import StoredRow

MOST_COLUMNS = 12  # of the file, the first ones
MOST_VALUES = 12  # distinct values of a column, and distinct labels: a larger table cannot be read
LONGEST_VALUE = 40  # characters
LEAST_ROWS = 5  # per value, on average: fewer say nothing
FEWEST_VALUES = 2

CellsOf = Callable[[str], dict[str, Any] | None]
Counts = dict[str, dict[str, int]]  # by the column's value, then by label


class Crosstab(msgspec.Struct):
    """How often each label of `answer` was given, by the values of each column of the file.

    A column with more than MOST_VALUES values, or with long ones, is null. With too many labels, all columns are.
    `rows` counts the answered rows.
    """

    answer: str = ""
    rows: int = 0
    columns: dict[str, Counts | None] = {}

    def add(self, column: str, pairs: dict[tuple[str, str], int]) -> None:
        """Add counts of a value and a label."""
        counts = self.columns.setdefault(column, {})
        if counts is None:
            return
        for (value, label), times in pairs.items():
            own = counts.setdefault(value, {})
            own[label] = own.get(label, 0) + times
        if _is_large(counts):
            self.columns[column] = None

    def merge(self, other: Crosstab) -> None:
        """Add the counts of another shard. A column that one of them lacks is dropped."""
        if not other.rows:
            return
        if not self.rows:
            self.answer, self.columns = other.answer, dict.fromkeys(other.columns, None)
            self.columns.update({name: {} for name, counts in other.columns.items() if counts is not None})
        self.rows += other.rows
        for name in {**self.columns, **other.columns}:
            theirs = other.columns.get(name) if self.answer == other.answer else None
            if theirs is None or name not in self.columns:
                self.columns[name] = None
            else:
                self.add(name, {(value, label): n for value, own in theirs.items() for label, n in own.items()})

    @property
    def best(self) -> tuple[str, Counts] | None:
        """Return the column of the file that says most about the label, with its counts; None if none says enough."""
        fit = [(name, counts) for name, counts in self.columns.items() if counts and self._says_enough(counts)]
        return max(fit, key=lambda one: association(one[1]), default=None)

    def _says_enough(self, counts: Counts) -> bool:
        return len(counts) >= FEWEST_VALUES and self.rows >= LEAST_ROWS * len(counts)


class CrosstabCounter:
    """Fills a Crosstab, many rows in each call. Rows are parsed only while a column can still be shown."""

    def __init__(self, crosstab: Crosstab, cells_of: CellsOf) -> None:
        self._crosstab = crosstab
        self._cells_of = cells_of

    def add(self, answer: str, rows: Sequence[StoredRow], labels: Sequence[str] | None) -> None:
        """Count rows, each with its label in the column `answer`; None if the answers are free text."""
        crosstab = self._crosstab
        crosstab.rows += len(rows)
        if not crosstab.answer:
            crosstab.answer = answer
            first = self._cells_of(rows[0].raw) if rows else None
            crosstab.columns = {str(name): {} for name in list(first or {})[:MOST_COLUMNS]}
        open_columns = [name for name, counts in crosstab.columns.items() if counts is not None]
        if labels is None:
            crosstab.columns.update(dict.fromkeys(open_columns))
        if not open_columns or labels is None:
            return
        cells = [self._cells_of(row.raw) or {} for row in rows]
        for name in open_columns:
            values = [_value(own.get(name)) for own in cells]
            if None in values:
                crosstab.columns[name] = None
            else:
                crosstab.add(name, Counter(zip(values, labels, strict=True)))  # type: ignore[arg-type] # no None


def association(counts: Counts) -> float:
    """Return how much a value says about its label, from 0 to 1 (Cramér's V)."""
    by_label: Counter[str] = Counter()
    for own in counts.values():
        by_label.update(own)
    total = sum(by_label.values())
    squares = sum(
        times * times / (sum(own.values()) * by_label[label]) for own in counts.values() for label, times in own.items()
    )
    freedom = min(len(counts), len(by_label)) - 1
    return sqrt(max(squares - 1, 0.0) / freedom) if total and freedom else 0.0


def _is_large(counts: Counts) -> bool:
    return len(counts) > MOST_VALUES or len(set().union(*counts.values())) > MOST_VALUES


def _value(cell: Any) -> str | None:
    """Return a cell as a value of the table; None if it is long, or no plain value."""
    if cell is None:
        return ""
    if isinstance(cell, dict | list):
        return None
    text = (str(cell).lower() if isinstance(cell, bool) else str(cell)).strip()
    return text if len(text) <= LONGEST_VALUE else None
