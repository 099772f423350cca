"""Selections: from an address and back, and never as SQL."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from batchdrop.cli.ui.results.columns import ResultColumn
from batchdrop.cli.ui.results.selection import Selection, condition, order, selection_of

COLUMNS = [
    ResultColumn(place=0, name="a"),
    ResultColumn(place=1, name='x"; DROP TABLE rows; --', kind="number"),
    ResultColumn(place=2, name="_status", kind="status", is_new=True),
]


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection("two words", 0, {2: ["failed", "a&b=c"]}, {1: (0.1, None)}, 1, descends=True),
        Selection(equals={0: [""]}, between={1: (None, -1e300)}),
    ],
)
def test_an_address_keeps_a_selection(selection: Selection) -> None:
    """What is written is read again."""
    assert selection_of(parse_qsl(selection.query(), keep_blank_values=True), COLUMNS) == selection


def test_what_an_address_may_not_say_is_left_out() -> None:
    """Places without a column, ranges of texts, numbers that are none."""
    pairs = [("is9", "x"), ("is-1", "x"), ("in0", "1..2"), ("in1", "nan..inf"), ("sort", "1;DROP"), ("in", "²")]
    assert selection_of(pairs, COLUMNS) == Selection()


def test_no_text_becomes_sql() -> None:
    """Values are bound, and columns have our own names."""
    attack = "'; DROP TABLE rows; --"
    selection = Selection(attack, None, {0: [attack]}, {1: (1.0, 2.0)}, 1)
    words, values = condition(selection, COLUMNS)
    assert "DROP" not in words + order(selection, COLUMNS)
    assert words.count("?") == len(values)
    assert values.count(attack) == 1


def test_filters_are_toggled() -> None:
    """A click adds a filter, and the next takes it away; a column sorts upwards, downwards, then not."""
    chosen = Selection(equals={2: ["failed"]})
    assert chosen.toggled(2, "failed") == ""
    assert chosen.toggled(2, "answered") == "is2=failed&is2=answered"
    assert [Selection(sort=s, descends=d).sorted_by(1) for s, d in ((None, False), (1, False), (1, True))] == [
        "sort=1",
        "sort=-1",
        "",
    ]
    assert Selection(between={1: (1.0, 2.0)}).ranged(1, 1.0, 2.0) == ""
