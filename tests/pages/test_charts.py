"""Which answer columns get a chart."""

from __future__ import annotations

import pytest

from batchdrop.adapters.pages.distributions import answer_charts
from batchdrop.report.answer_counts import ColumnCounts, CountedKind
from batchdrop.report.statistics import Statistics


@pytest.mark.parametrize(
    ("kind", "distinct", "each", "is_drawn"),
    [("text", 12, 1, True), ("text", 40, 1, False), ("text", 40, 2, True), ("label", 40, 1, True)],
)
def test_texts_are_drawn_if_they_repeat(kind: CountedKind, distinct: int, each: int, is_drawn: bool) -> None:  # noqa: FBT001 - a test's parameter
    """A reason in words of its own for each row is no label, however short it is. An enum label always is one."""
    column = ColumnCounts(kind)
    column.add({f"label {number}": each for number in range(distinct)}, distinct * each)
    assert bool([*answer_charts(Statistics(columns={"reason": column}))]) == is_drawn
