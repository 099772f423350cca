"""Answers counted against their truths: exact however the rows were sharded, and small."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.gold import GoldField
from batchdrop.answers.outcome import Outcome, failed
from batchdrop.report.gold_block import gold_blocks, gold_words
from batchdrop.report.gold_counts import MOST_ROWS, GoldByField, GoldCounter, merge_gold
from batchdrop.report.histogram import MOST_VALUES
from batchdrop.requests.row import StoredRow

LABEL = GoldField("label", "truth", "label", 0, "label", ("a", "b"))
STARS = GoldField("stars", "stars_truth", "stars", 1, "number")

_cells = st.tuples(
    st.sampled_from(["a", "b", "", "z"]), st.sampled_from(["a", "b"]), st.integers(0, 5), st.sampled_from([1, 3, None])
)


def _row(truth: str, label: str, stars: int, given: int | None) -> tuple[str, str, int, int | None]:
    return truth, label, stars, given


def _counted(rows: list[tuple[str, str, int, int | None]], first: int = 1) -> GoldByField:
    counts: GoldByField = {}
    counter = GoldCounter(counts, [LABEL, STARS], msgspec.json.decode)
    stored, outcomes = [], []
    for number, (truth, label, stars, given_stars) in enumerate(rows, first):
        raw = msgspec.json.encode({"truth": truth, "stars_truth": stars}).decode()
        stored.append(StoredRow(number, raw))
        outcomes.append(Outcome("answered", "answered", (label, given_stars)) if stars else failed("no"))
    counter.add(stored, outcomes)
    return counts


@given(st.lists(st.lists(_cells, max_size=30), max_size=4))
def test_counts_merge_exactly(shards: list[list[tuple[str, str, int, int | None]]]) -> None:
    """The same counts and the same listed rows, however the file was cut."""
    merged = _counted([])
    rows: list[tuple[str, str, int, int | None]] = []
    for shard in shards:
        merge_gold(merged, _counted(shard, len(rows) + 1))
        rows += shard
    assert merged == _counted(rows)
    counts = merged["label"]
    assert counts.truths == sum(truth in ("a", "b") for truth, *_ in rows)
    assert counts.unreadable == sum(truth == "z" for truth, *_ in rows)
    assert counts.answered == sum(map(sum, (own.values() for own in counts.confusion.values())))
    assert len(counts.wrong) == min(MOST_ROWS, counts.answered - counts.right)


def test_labels_without_end_stay_small() -> None:
    """An enum may have thousands of values."""
    field = GoldField("label", "truth", "label", 0, "label", tuple(map(str, range(1000))))
    counts: GoldByField = {}
    counter = GoldCounter(counts, [field], lambda raw: {"truth": raw})
    for number in range(1000):
        outcome = Outcome("answered", "answered", (str(999 - number),))
        counter.add([StoredRow(number + 1, str(number))] * 2, [outcome] * 2)
    assert len(counts["label"].confusion) == MOST_VALUES
    assert len(msgspec.json.encode(counts)) < 20_000
    assert (counts["label"].answered, counts["label"].right) == (2000, 0)


def test_a_block_says_what_was_counted() -> None:
    """Accuracy only where there is a truth and an answer; with its interval, and what is missing."""
    rows = [*[_row("a", "a", 1, 1)] * 188, *[_row("b", "a", 2, 4)] * 12]
    rows.append(("a", "a", 0, None))
    [block, stars] = gold_blocks(_counted(rows), "o/output.csv")
    assert (block.truths, block.answered, block.right, block.wrong) == (201, 200, 188, 12)
    assert gold_words(block) == (
        "accuracy 94.0 % (188 of 200 rows with a truth; 89.8 to 96.5 % with 95 % confidence)"
        "; 1 row with a truth and no usable answer"
    )
    assert block.confusion == {"a": {"a": 188}, "b": {"a": 12}}
    assert block.all_wrong == "output.csv: the rows whose 'label' differs from 'truth'"
    assert stars.errors is not None
    assert (stars.errors.low, stars.errors.high) == (0, 2)
    assert stars.errors.mean_absolute == stars.errors.mean == 0.12


def test_without_truth_there_is_no_accuracy() -> None:
    """Nor without an answer."""
    [none, _] = gold_blocks(_counted([("", "a", 1, 1)]), None)
    assert (none.accuracy, none.low) == (None, None)
    assert gold_words(none) == "no row has a truth in 'truth'"
    [unanswered, _] = gold_blocks(_counted([("a", "a", 0, 1), ("z", "a", 1, 1)]), None)
    assert gold_words(unanswered) == (
        "unknown: none of the 1 row with a truth has a usable answer; 1 cell of 'truth' cannot be read"
    )


def test_a_wrong_row_is_never_rounded_away() -> None:
    """One wrong row of 10,000 is not 100 %."""
    rows = [*[_row("a", "a", 1, 1)] * 9999, _row("a", "b", 1, 1)]
    [block, _] = gold_blocks(_counted(rows), "output.csv")
    assert "accuracy > 99.9 % (9,999 of 10,000 rows" in gold_words(block)
