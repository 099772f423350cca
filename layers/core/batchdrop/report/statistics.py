"""The report's statistics: distributions and a few samples, in memory that does not grow with the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from batchdrop.answers.gold import GoldField
from batchdrop.answers.outcome import REMEMBERED, Outcome
from batchdrop.report.answer_counts import LISTS, ColumnCounts, CountedKind, merge_columns
from batchdrop.report.crosstab import Crosstab, CrosstabCounter
from batchdrop.report.failure_samples import Failures, sample_of, wants_sample
from batchdrop.report.gold_counts import GoldByField, GoldCounter, merge_gold
from batchdrop.report.histogram import Histogram
from batchdrop.report.label_examples import CellsOf, ExampleFinder
from batchdrop.requests.row import StoredRow

NUMBERS_AT_ONCE = 8192  # counted in one call in C, ten times as fast as one by one


class Statistics(msgspec.Struct):
    """Statistics of a shard, or of all shards. Tokens are those of a row's last answer, with the cached prompt.

    `milliseconds` is the latency of live lane answers. `columns` are the answer's countable columns. `crosstab` counts
    the labels of one of them by the file's columns. `gold` is set if the recipe names columns with the truth.
    """

    input_tokens: Histogram = msgspec.field(default_factory=Histogram)
    output_tokens: Histogram = msgspec.field(default_factory=Histogram)
    milliseconds: Histogram = msgspec.field(default_factory=Histogram)
    columns: dict[str, ColumnCounts] = {}
    failures: Failures = msgspec.field(default_factory=Failures)
    crosstab: Crosstab = msgspec.field(default_factory=Crosstab)
    gold: GoldByField | msgspec.UnsetType = msgspec.UNSET

    def merge(self, other: Statistics) -> None:
        """Add the statistics of a shard that comes later in the file."""
        self.input_tokens.merge(other.input_tokens)
        self.output_tokens.merge(other.output_tokens)
        self.milliseconds.merge(other.milliseconds)
        merge_columns(self.columns, other.columns.items())
        self.failures.merge(other.failures)
        self.crosstab.merge(other.crosstab)
        if other.gold:
            self.gold = self.gold or {}
            merge_gold(self.gold, other.gold)


class RowsCounted:
    """Adds a shard's rows to its statistics, many rows in each call.

    `columns` are the answer's columns, in the order of its values; None for a column that is not counted. `gold` are
    the fields whose truth the rows may hold.
    """

    def __init__(
        self,
        statistics: Statistics,
        columns: Mapping[str, CountedKind | None],
        *,
        cells_of: CellsOf,
        gold: Sequence[GoldField] = (),
    ) -> None:
        self._statistics = statistics
        self._columns = list(columns.items())
        self._cells_of = cells_of
        self._inputs: list[int] = []
        self._outputs: list[int] = []
        self._seconds: list[float] = []
        self._numbers: defaultdict[str, list[float | None]] = defaultdict(list)
        self._examples = ExampleFinder(cells_of)
        self._crosstab = CrosstabCounter(statistics.crosstab, cells_of)
        self._crossed = _crossed(columns)
        if gold:
            statistics.gold = statistics.gold or {}
        self._gold = GoldCounter(statistics.gold, gold, cells_of) if statistics.gold is not msgspec.UNSET else None

    def add(self, rows: Sequence[StoredRow], outcomes: Sequence[Outcome]) -> None:
        """Add the next rows of the shard."""
        paid = [outcome for outcome in outcomes if outcome.message is not None and outcome.status != REMEMBERED]
        usages = [outcome.message.usage for outcome in paid if outcome.message is not None]
        self._inputs += [usage.prompt_tokens for usage in usages]
        self._outputs += [usage.output_tokens for usage in usages]
        self._seconds += [outcome.seconds for outcome in outcomes if outcome.seconds is not None]
        answered = [place for place, outcome in enumerate(outcomes) if outcome.fate == "answered"]
        self._count_values([rows[place] for place in answered], [outcomes[place].values for place in answered])
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.fate != "answered":
                self._sample(row, outcome)
        if self._gold is not None:
            self._gold.add(rows, outcomes)
        if len(self._inputs) >= NUMBERS_AT_ONCE:
            self._count_numbers()

    def end(self) -> None:
        """Add what is still buffered."""
        self._count_numbers()

    def _count_values(self, rows: Sequence[StoredRow], values: list[tuple[Any, ...]]) -> None:
        for (name, kind), column in zip(self._columns, zip(*values, strict=True), strict=False):
            if kind == "number":
                self._numbers[name] += column
            elif kind is not None:
                self._count_labels(name, self._column(name, kind), rows, column)

    def _count_labels(self, name: str, counts: ColumnCounts, rows: Sequence[StoredRow], column: Sequence[Any]) -> None:
        counts.add(Counter(_to_count(column, counts)), len(column))
        if not counts.is_free:
            labels = column if counts.kind in LISTS else [(value,) for value in column]
            self._examples.look(
                name,
                rows,
                [own or () for own in labels],
                written=counts.label_of,
                counted=counts.labels.counts,
                examples=counts.examples,
            )
        if name == self._crossed:
            crossed = None if counts.is_free else ["" if one is None else counts.label_of(one) for one in column]
            self._crosstab.add(name, rows, crossed)

    def _count_numbers(self) -> None:
        for name, numbers in self._numbers.items():
            self._column(name, "number").add(Counter(numbers), len(numbers))
        self._numbers.clear()
        self._statistics.input_tokens.add(Counter(self._inputs))
        self._statistics.output_tokens.add(Counter(self._outputs))
        self._statistics.milliseconds.add(Counter(round(seconds * 1000) for seconds in self._seconds))
        self._inputs.clear()
        self._outputs.clear()
        self._seconds.clear()

    def _column(self, name: str, kind: CountedKind) -> ColumnCounts:
        return self._statistics.columns.setdefault(name, ColumnCounts(kind))

    def _sample(self, row: StoredRow, outcome: Outcome) -> None:
        kind = self._statistics.failures.count(outcome)
        if wants_sample(kind):
            kind.samples.append(sample_of(row, outcome, self._cells_of(row.raw)))


def _crossed(columns: Mapping[str, CountedKind | None]) -> str | None:
    """Return the answer column of the crosstab: the first with declared labels, else the first text."""
    return next((name for kind in ("label", "text") for name, own in columns.items() if own == kind), None)


def _to_count(column: Iterable[Any], counts: ColumnCounts) -> Iterable[Any]:
    """Return the values to count. Free text is slow to count, so only its missing values are counted."""
    if counts.is_free:
        return (value for value in column if value is None)
    return _labels(column) if counts.kind in LISTS else column


def _labels(lists: Iterable[list[Any] | None]) -> Iterable[Any]:
    """Return each row's labels, without repeats within a row."""
    return chain.from_iterable(set(labels or ()) for labels in lists)
