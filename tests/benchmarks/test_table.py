"""The table of the benchmarks, and how it gets into a page."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.findings import Bar
from benchmarks.table import END, START, comparisons, put, table

FOUND: dict[str, Any] = {
    "title": "Splitting", "command": "python -m benchmarks.split", "date": "2026-11-22", "commit": "abc1234", "runs": 3,
    "python": "3.13.0",
    "lines": [
        {"case": "csv", "contender": "ours", "cpu_s": 12.345, "peak_rss_mb": 101.4},
        {"case": "csv", "contender": "theirs", "cpu_s": 0.5, "peak_rss_mb": 1234.5},
    ],
    "bars": [
        {"what": "theirs / ours", "measured": 0.04, "limit": 3, "is_most": False, "holds": False},
        {"what": "RSS", "measured": 101.4, "limit": 220, "is_most": True, "holds": True},
    ],
}  # fmt: skip


def test_a_table_has_each_line_each_bar_and_how_it_was_made() -> None:
    """A missed bar is seen as missed."""
    assert table([FOUND]).splitlines() == [
        "**Splitting**",
        "",
        "|  |  | CPU s | peak RSS MB |",
        "| --- | --- | ---: | ---: |",
        "| csv | ours | 12.3 | 101 |",
        "| csv | theirs | 0.50 | 1,234 |",
        "",
        "`python -m benchmarks.split`, 2026-11-22, commit abc1234, medians of 3 runs, Python 3.13.0.",
        "- ✗ theirs / ours: 0.04 (at least 3)",
        "- ✓ RSS: 101 (at most 220)",
    ]


def test_comparisons_stand_in_one_table() -> None:
    """Each title and case is named once, each contender beside its alternatives; what compares nothing is left out."""
    lines = [{**line, "wall_s": 1.5} for line in FOUND["lines"]]
    split = {**FOUND, "name": "split", "cpus": 2, "lines": lines}
    assert comparisons([split, {"name": "cold_start"}]).splitlines() == [
        "|  |  | CPU s | wall s | peak RSS MB |",
        "| --- | --- | ---: | ---: | ---: |",
        "| **Splitting** |  |  |  |  |",
        "| csv | ours | 12.3 | 1.50 | 101 |",
        "|  | theirs | 0.50 | 1.50 | 1,234 |",
        "",
        "`python -m benchmarks.split` (2026-11-22, commit abc1234, medians of 3 runs); Python 3.13.0 on 2 cores.",
    ]


def test_the_table_replaces_what_stood_between_the_markers() -> None:
    """What is around the markers stays; to put it twice changes nothing."""
    once = put(f"before\n{START}\nold\n{END}\nafter\n", "new\n")
    assert once == f"before\n{START}\nnew\n{END}\nafter\n"
    assert put(once, "new\n") == once


@pytest.mark.parametrize("page", ["no markers", START, f"{END} {START}"])
def test_a_page_without_markers_is_refused(page: str) -> None:
    """Nothing is written at a place that nobody chose."""
    with pytest.raises(ValueError, match="bench:start"):
        put(page, "new\n")


@pytest.mark.parametrize(
    ("measured", "is_most", "holds"), [(3, False, True), (2.9, False, False), (3, True, True), (3.1, True, False)]
)
def test_a_bar_holds_at_its_limit(measured: float, is_most: bool, holds: bool) -> None:  # noqa: FBT001 - a table of cases
    """At least means no less, at most means no more."""
    assert Bar("it", measured, 3, is_most).holds is holds
