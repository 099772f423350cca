"""Labels by the values of a column of the file: exact, bounded, and the column that says most is chosen."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.outcome import Outcome
from batchdrop.report.answer_counts import LONGEST_LABEL, CountedKind
from batchdrop.report.crosstab import MOST_COLUMNS, MOST_VALUES, Crosstab, association
from batchdrop.report.statistics import RowsCounted, Statistics
from batchdrop.requests.row import StoredRow

Pair = tuple[str, str]  # a value of the column `p`, and the label


def _crosstab(pairs: list[Pair], kind: CountedKind = "label", parsed: list[str] | None = None) -> Crosstab:
    statistics = Statistics()

    def cells(raw: str) -> dict[str, Any]:
        if parsed is not None:
            parsed.append(raw)
        number, value = raw.split(",")
        return {"id": number, "p": value, "same": "x", "tree": {"x": 1}}

    counted = RowsCounted(statistics, {"a": kind}, cells_of=cells)
    for start in range(0, len(pairs), 16):
        some = pairs[start : start + 16]
        rows = [StoredRow(start + n, f"{start + n},{value}") for n, (value, _) in enumerate(some, 1)]
        counted.add(rows, [Outcome("answered", "answered", values=(label,)) for _, label in some])
    counted.end()
    return statistics.crosstab


@given(st.lists(st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("ab")), max_size=60), max_size=4))
def test_shards_add_up(shards: list[list[Pair]]) -> None:
    """The counts are those of all rows, in any order of the shards."""
    merged, backwards = Crosstab(), Crosstab()
    for shard in shards:
        merged.merge(_crosstab(shard))
    for shard in reversed(shards):
        backwards.merge(_crosstab(shard))
    pairs = list(chain.from_iterable(shards))
    assert merged == backwards
    assert merged.rows == len(pairs)
    found = {(value, label): n for value, own in (merged.columns.get("p") or {}).items() for label, n in own.items()}
    assert found == Counter(pairs)


def test_the_column_that_says_most_is_shown() -> None:
    """A column with one value, one with a value per row, and one with objects are not."""
    pairs = [("p", "a"), ("q", "b")] * 40
    crosstab = _crosstab(pairs)
    assert crosstab.best == ("p", {"p": {"a": 40}, "q": {"b": 40}})
    assert crosstab.columns["id"] is None
    assert crosstab.columns["tree"] is None
    assert association({"p": {"a": 40}, "q": {"b": 40}}) == 1.0
    assert association({"p": {"a": 20, "b": 20}, "q": {"a": 5, "b": 5}}) == 0.0


def test_few_rows_are_no_table() -> None:
    """Of four rows, a table says nothing."""
    assert _crosstab([("p", "a"), ("q", "b")] * 2).best is None


def test_too_many_values_or_labels_are_no_table() -> None:
    """Such a table cannot be read, so the counts are dropped; rows are then no longer parsed."""
    parsed: list[str] = []
    crosstab = _crosstab([("p", f"label {n}") for n in range(500)], parsed=parsed)
    assert crosstab.best is None
    assert len(parsed) < 100
    assert _crosstab([(f"value {n}", "a") for n in range(500)]).columns["p"] is None
    assert MOST_VALUES < 20


def test_free_text_is_no_label() -> None:
    """A long answer shows that a text column has no labels."""
    assert _crosstab([("p", "yes"), ("q", "x" * (LONGEST_LABEL + 1))] * 40, kind="text").best is None


def test_a_wide_file_costs_no_more() -> None:
    """Only the first columns of a file are looked at."""
    statistics = Statistics()
    counted = RowsCounted(statistics, {"a": "label"}, cells_of=lambda _raw: {f"c{n}": "x" for n in range(500)})
    counted.add([StoredRow(1, "raw")], [Outcome("answered", "answered", values=("yes",))])
    assert len(statistics.crosstab.columns) == MOST_COLUMNS


def test_a_shard_with_other_columns_ends_the_table() -> None:
    """JSON Lines may change: a table of some of the rows would be wrong."""
    other = Crosstab("a", 1, {"z": {"1": {"a": 1}}})
    crosstab = _crosstab([("p", "a"), ("q", "b")] * 40)
    crosstab.merge(other)
    assert crosstab.best is None
