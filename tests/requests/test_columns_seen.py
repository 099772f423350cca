"""Rows that name their own columns: names in order, and a kind that holds every value."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.answers.columns import Column
from batchdrop.errors import UploadRejected
from batchdrop.requests.columns_seen import MAX_COLUMNS, ColumnsSeen


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, None], "string"),
        ([1, None, 2], "integer"),
        ([1, 2.5], "number"),
        ([2.5, 1], "number"),
        ([True, False], "boolean"),
        ([True, 1], "string"),
        (["1", 1], "string"),
        ([1, 2**63], "string"),
        ([[1], {"a": 1}], "json"),
        ([[1], "x"], "string"),
    ],
)
def test_the_narrowest_kind_that_holds_all(values: list[Any], kind: str) -> None:
    """Integers widen to numbers; any other mixture is text."""
    seen = ColumnsSeen()
    for value in values:
        seen.add({"x": value})
    assert [(column.name, column.kind) for column in seen.columns] == [("x", kind)]


def test_names_keep_the_order_of_their_first_appearance() -> None:
    """This also holds when an earlier invocation's columns are continued; `add` reports changes."""
    seen = ColumnsSeen([Column("b", "integer")])
    assert [seen.add({"a": "x", "b": 1}), seen.add({"b": 2}), seen.add({"c": None, "a": "y"})] == [True, False, True]
    assert seen.columns == [Column("b", "integer"), Column("a"), Column("c")]


def test_too_many_columns_are_no_table() -> None:
    """Rows with names of their own each (ids as keys) are told to stay JSON."""
    seen = ColumnsSeen()
    with pytest.raises(UploadRejected, match="format: jsonl"):
        seen.add({str(number): 1 for number in range(MAX_COLUMNS + 1)})
