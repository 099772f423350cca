"""What the report shows of many rows: bounded, exact in its sums, and the same however the rows were sharded."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.outcome import Outcome, canceled, failed, rejected
from batchdrop.answers.result import Message, Usage
from batchdrop.report.answer_counts import LONGEST_LABEL, ColumnCounts, CountedKind
from batchdrop.report.failure_samples import LONGEST_CELL, LONGEST_REASON, MOST_KINDS, MOST_SAMPLES, kind_of
from batchdrop.report.histogram import MOST_BINS, MOST_VALUES, Histogram, Spread, bin_of, edge, floor_of
from batchdrop.report.statistics import RowsCounted, Statistics
from batchdrop.report.tally import Tally
from batchdrop.requests.row import StoredRow

NUMBERS = st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9))


@given(st.integers(0, 10**12))
def test_a_bin_holds_its_number_and_is_narrow(number: int) -> None:
    """At most an eighth wide, and bins lie one behind the other."""
    place = bin_of(number)
    low, high = floor_of(place), floor_of(place + 1)
    assert low <= number < high
    assert high - low <= max(1, low / 8)


@given(st.lists(st.lists(st.integers(0, 10**7), max_size=20), max_size=5))
def test_histograms_merge_exactly(shards: list[list[int]]) -> None:
    """Counts, total and largest are the same however the numbers were sharded."""
    merged, whole = Histogram(), Histogram()
    for shard in shards:
        part = Histogram()
        part.add(Counter(shard))
        merged.merge(part)
        whole.add(Counter(shard))
    assert merged == whole
    everything = list(chain.from_iterable(shards))
    assert (whole.count, whole.total) == (len(everything), sum(everything))


@given(st.lists(st.integers(0, 10**7), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_right_within_its_bin(numbers: list[int], part: float) -> None:
    """It is at least the true one, and at most an eighth above it."""
    histogram = Histogram()
    histogram.add(Counter(numbers))
    true = sorted(numbers)[math.ceil(part * len(numbers) - 1e-9) - 1]
    assert true <= histogram.quantile(part) <= true * 1.125 + 1


@given(st.lists(st.lists(NUMBERS, max_size=80), max_size=5))
def test_spreads_merge_exactly_and_stay_small(shards: list[list[float]]) -> None:
    """Numbers of any size and sign: the same bins however they were sharded, and never more than there is room for."""
    merged, whole = Spread(), Spread()
    for shard in shards:
        part = Spread()
        part.add(Counter(shard))
        merged.merge(part)
        whole.add(Counter(shard))
    assert merged == whole
    assert whole.count == sum(map(len, shards))
    assert len(whole.values) <= MOST_VALUES
    assert len(whole.bins) <= MOST_BINS
    if whole.exponent is not None:
        last = max(whole.bins)
        assert max(map(float, list(chain.from_iterable(shards)))) <= edge(last + 1, whole.exponent)


def test_a_number_that_no_float_holds_is_left_out() -> None:
    """JSON knows integers of any length; one of them must not cost the shard its join."""
    spread = Spread()
    spread.add({10**400: 1, 5: 2, None: 3})
    assert spread.values == {"5.0": 2}


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("label", [True, False, True, None], {"true": 2, "false": 1}),
        ("label", ["a", "b", "a"], {"a": 2, "b": 1}),
        ("text", [" yes", "yes", "no\n"], {"yes": 2, "no": 1}),
        ("text", ["yes", "x" * (LONGEST_LABEL + 1)], {}),
        ("text", [f"answer {n}" for n in range(MOST_VALUES + 1)], {}),
    ],
)
def test_labels_are_counted_and_free_text_is_not(
    kind: CountedKind, values: list[object], expected: dict[str, int]
) -> None:
    """Few short answers are labels; one long answer, or many distinct ones, and the column is free text."""
    column = ColumnCounts(kind)
    column.add(Counter(values), len(values))
    assert column.labels.counts == expected
    assert column.is_free == (not expected)


def _answered(label: object, tokens: int) -> Outcome:
    return Outcome(
        "answered",
        "answered",
        values=(label,),
        message=Message("m", [], "end_turn", Usage(tokens, 2 * tokens)),
        seconds=0.5,
    )


def _counted(outcomes: list[Outcome], before: int = 0) -> Statistics:
    statistics = Statistics()
    counted = RowsCounted(statistics, {"label": "label"}, cells_of=lambda raw: {"x": raw, "long": "y" * 1000})
    for start in range(0, len(outcomes), 256):
        some = outcomes[start : start + 256]
        first = before + start + 1
        counted.add([StoredRow(row, "raw") for row in range(first, first + len(some))], some)
    counted.end()
    return statistics


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5000)), max_size=300), max_size=3))
def test_shards_add_up(shards: list[list[tuple[str, int]]]) -> None:
    """The job's statistics are those of all rows."""
    merged, rows = Statistics(), 0
    for shard in shards:
        merged.merge(_counted([_answered(*one) for one in shard], rows))
        rows += len(shard)
    assert merged == _counted([_answered(*one) for shard in shards for one in shard])


def test_samples_are_few_and_short() -> None:
    """Five rows of a kind, twenty kinds, cells and reasons cut; every row is counted."""
    outcomes = [failed(f"kind_{number % 40}: {'z' * 5000}") for number in range(4000)]
    failures = _counted(outcomes).failures
    assert sum(kind.rows for kind in failures.kinds.values()) == 4000
    assert len(failures.kinds) <= MOST_KINDS + 1
    for kind in failures.kinds.values():
        assert len(kind.samples) == MOST_SAMPLES
        for sample in kind.samples:
            assert len(sample.reason) == LONGEST_REASON
            assert all(len(cell) <= LONGEST_CELL for cell in sample.cells.values())


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (failed("api_error: no"), "api_error"),
        (failed("the API returned no result for this row"), "the API returned no result for this row"),
        (
            rejected("row 17 (line 23): it has 1 cells, the header has 3 columns; fill them"),
            "it has … cells, the header has … columns",
        ),
        (canceled("you did"), "canceled"),
        (Outcome("answered", "refusal"), "refusal"),
    ],
)
def test_what_a_failure_is_called(outcome: Outcome, kind: str) -> None:
    """The API's error type, the status, or what rejects have in common."""
    assert kind_of(outcome) == kind


def test_a_tally_of_an_earlier_version_can_be_read() -> None:
    """A job that was collected before these fields were known can be closed after an update."""
    old = b'{"rows":1,"answered":1,"failed":0,"rejected":0,"statuses":{"answered":1},"tokens":[]}'
    assert msgspec.json.decode(old, type=Tally).statistics == Statistics()


def test_a_tally_stays_small() -> None:
    """Its file does not grow with the rows, whatever they say."""
    outcomes = [_answered(f"{n % 500}", n) for n in range(20_000)] + [
        failed(f"{chr(97 + n % 26)}x: {'é' * 900}") for n in range(9000)
    ]
    assert len(msgspec.json.encode(_counted(outcomes))) < 200_000


def test_an_empty_cell_of_a_sample_is_empty() -> None:
    """Null is nothing in a report, not the word None."""
    statistics = Statistics()
    counted = RowsCounted(statistics, {}, cells_of=lambda _raw: {"x": None, "y": 7})
    counted.add([StoredRow(1, "raw")], [failed("api_error: no")])
    counted.end()
    [kind] = statistics.failures.kinds.values()
    assert kind.samples[0].cells == {"x": "", "y": "7"}
