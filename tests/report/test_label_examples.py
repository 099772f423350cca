"""Example rows of each label: the first ones of the file, few, short, and the same however the rows were sharded."""

from __future__ import annotations

from itertools import chain

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.outcome import Outcome
from batchdrop.report.answer_counts import CountedKind
from batchdrop.report.histogram import MOST_VALUES
from batchdrop.report.label_examples import LONGEST_EXAMPLE, MOST_EXAMPLES, Example
from batchdrop.report.statistics import RowsCounted, Statistics
from batchdrop.requests.row import StoredRow

CHUNK = 7


def _counted(kind: CountedKind, values: list[tuple[int, object]], most: int = CHUNK) -> Statistics:
    """Count rows of a number and an answer, in chunks."""
    statistics = Statistics()
    counted = RowsCounted(statistics, {"a": kind}, cells_of=lambda raw: {"id": "1", "text": raw})
    for start in range(0, len(values), most):
        some = values[start : start + most]
        rows = [StoredRow(row, f"row {row} of the file") for row, _ in some]
        counted.add(rows, [Outcome("answered", "answered", values=(value,)) for _, value in some])
    counted.end()
    return statistics


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=40), max_size=4))
def test_examples_are_the_first_rows_of_a_label(shards: list[list[str]]) -> None:
    """Up to three of each label, in the file's order, however the rows were sharded."""
    rows = list(enumerate(chain.from_iterable(shards), 1))
    merged, start = Statistics(), 0
    for shard in shards:
        merged.merge(_counted("label", [*rows[start : start + len(shard)]]))
        start += len(shard)
    expected = {
        label: [Example(row, f"row {row} of the file") for row, own in rows if own == label][:MOST_EXAMPLES]
        for label in {own for _, own in rows}
    }
    found = merged.columns["a"].examples if rows else {}
    assert found == expected


@pytest.mark.parametrize("kind", ["labels", "texts"])
def test_a_list_is_an_example_of_each_of_its_labels(kind: CountedKind) -> None:
    """A list of labels counts each label once per row; a null or empty list counts none."""
    column = _counted(kind, [(1, ["a", "b", "a"]), (2, []), (3, None), (4, ["b"])]).columns["a"]
    assert column.labels.counts == {"a": 1, "b": 2}
    assert {label: [one.row for one in found] for label, found in column.examples.items()} == {"a": [1], "b": [1, 4]}


def test_a_list_of_free_text_has_no_counts_and_no_examples() -> None:
    """As a text column with many distinct answers."""
    column = _counted("texts", [(n, [f"answer {n}"]) for n in range(1, MOST_VALUES + 9)]).columns["a"]
    assert column.is_free
    assert column.labels.counts == {}
    assert column.examples == {}


def test_an_example_is_short_and_on_one_line() -> None:
    """The longest cell says most about a row; line breaks in it are spaces."""
    statistics = Statistics()
    counted = RowsCounted(
        statistics, {"a": "label"}, cells_of=lambda _raw: {"n": None, "t": "two\n lines " + "x" * 999}
    )
    counted.add([StoredRow(1, "raw")], [Outcome("answered", "answered", values=("yes",))])
    [example] = statistics.columns["a"].examples["yes"]
    assert example.text.startswith("two lines xx")
    assert len(example.text) == LONGEST_EXAMPLE


def test_examples_of_many_rows_stay_small() -> None:
    """Columns, labels and texts are bounded, whatever the rows say."""
    statistics = Statistics()
    columns: dict[str, CountedKind | None] = {f"c{n}": "label" for n in range(30)}
    counted = RowsCounted(statistics, columns, cells_of=lambda raw: {"x": raw, "y": "é" * 999})
    for start in range(0, 20_000, 128):
        rows = [StoredRow(start + n + 1, "raw") for n in range(128)]
        counted.add(rows, [Outcome("answered", "answered", values=(f"{row.row % 500}",) * 30) for row in rows])
    assert len(msgspec.json.encode([one.examples for one in statistics.columns.values()])) < 200_000
