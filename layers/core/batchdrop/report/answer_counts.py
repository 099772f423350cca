"""Count how often each answer was given, column by column, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from batchdrop.report.histogram import MOST_VALUES, Spread
from batchdrop.report.label_examples import Examples, merge_examples

LONGEST_LABEL = 60  # characters; a longer text answer is not a label

CountedKind = Literal["label", "labels", "text", "texts", "number"]
"""`enum` values or booleans; lists of them; free text, which may turn out to be labels; lists of it; numbers."""

LISTS: frozenset[CountedKind] = frozenset({"labels", "texts"})
TEXTS: frozenset[CountedKind] = frozenset({"text", "texts"})


class LabelCounts(msgspec.Struct):
    """Counts of labels. `other` counts labels beyond the first MOST_VALUES distinct ones, `missing` counts nulls."""

    counts: dict[str, int] = {}
    other: int = 0
    missing: int = 0

    def add(self, labels: Mapping[Any, int]) -> None:
        """Add labels with their counts; None is a missing label."""
        for label, times in labels.items():
            if label is None:
                self.missing += times
            else:
                self._count(written(label), times)

    def merge(self, other: LabelCounts) -> None:
        """Add the counts of another shard."""
        for label, times in other.counts.items():
            self._count(label, times)
        self.other += other.other
        self.missing += other.missing

    def _count(self, label: str, times: int) -> None:
        if label in self.counts or len(self.counts) < MOST_VALUES:
            self.counts[label] = self.counts.get(label, 0) + times
        else:
            self.other += times


class ColumnCounts(msgspec.Struct):
    """The counts of one answer column. `is_free`: its texts are not labels, so they are not counted.

    `number` counts a number column, `labels` any other column. `answers` is the number of rows with an answer.
    `examples` are the first rows of each label.
    """

    kind: CountedKind
    answers: int = 0
    is_free: bool = False
    labels: LabelCounts = msgspec.field(default_factory=LabelCounts)
    number: Spread = msgspec.field(default_factory=Spread)
    examples: Examples = {}

    def add(self, values: Mapping[Any, int], rows: int) -> None:
        """Add values with their counts, from `rows` rows; None is a missing value."""
        missing = values.get(None, 0)
        self.answers += rows - missing
        if self.kind == "number":
            self.number.add(values)
            self.labels.missing += missing
        elif self.kind in TEXTS:
            self._add_text(values)
        else:
            self.labels.add(values)

    def merge(self, other: ColumnCounts) -> None:
        """Add the counts of another shard."""
        self.answers += other.answers
        self.is_free |= other.is_free
        self.number.merge(other.number)
        self.labels.merge(other.labels)
        merge_examples(self.examples, other.examples, self.labels.counts)
        self._look_for_freedom()

    def label_of(self, value: Any) -> str:
        """Return the label that counts `value`."""
        return written(value).strip() if self.kind in TEXTS else written(value)

    def _add_text(self, texts: Mapping[str | None, int]) -> None:
        if self.is_free:
            return
        for text, times in texts.items():
            label = None if text is None else text.strip()
            self.is_free |= len(label or "") > LONGEST_LABEL
            self.labels.add({label: times})
        self._look_for_freedom()

    def _look_for_freedom(self) -> None:
        if self.kind in TEXTS and (self.is_free or self.labels.other):
            self.is_free = True
            self.labels, self.examples = LabelCounts(), {}


def merge_columns(columns: dict[str, ColumnCounts], others: Iterable[tuple[str, ColumnCounts]]) -> None:
    """Add the counts of another shard's columns, by name."""
    for name, counts in others:
        columns.setdefault(name, ColumnCounts(counts.kind)).merge(counts)


def written(label: Any) -> str:
    """Return a label as in JSON: `true`, `3`, or the text itself."""
    return str(label).lower() if isinstance(label, bool) else str(label)
