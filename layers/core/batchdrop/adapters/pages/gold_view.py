"""Compute what the report shows of answers compared with their truths."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from batchdrop.adapters.pages.charts import Chart
from batchdrop.adapters.pages.distributions import number_charts
from batchdrop.adapters.pages.plain_text import shown
from batchdrop.report.answer_counts import ColumnCounts
from batchdrop.report.gold_block import GoldBlock, gold_words
from batchdrop.report.statistics import Statistics

MOST_LABELS = 12  # a side of the confusion matrix: more cannot be read


class Confusion(NamedTuple):
    """A confusion matrix: `answers` across, truths down. A row is a truth, its total, and a count for each answer."""

    answers: list[str]
    rows: list[tuple[str, int, list[int]]]
    is_cut: bool


class GoldView(NamedTuple):
    """A field compared with its truth: its accuracy in `words`, and what it is made of."""

    block: GoldBlock
    words: str
    confusion: Confusion | None
    charts: list[Chart]


def gold_views(blocks: list[GoldBlock], statistics: Statistics) -> list[GoldView]:
    """Return a view for each field of the recipe's `gold`."""
    counts = statistics.gold or {}
    views = []
    for block in blocks:
        errors = counts[block.field].errors if block.field in counts else None
        column = ColumnCounts("number", number=errors) if errors else None
        title = f"{shown(block.field, 40)}: answer minus truth"
        charts = list(number_charts(title, column)) if column else []
        views.append(GoldView(block, gold_words(block), _confusion(block.confusion), charts))
    return views


def _confusion(counts: dict[str, dict[str, int]] | None) -> Confusion | None:
    """Return the matrix of the most frequent labels, in one order on both sides."""
    if not counts:
        return None
    totals: Counter[str] = Counter()
    for truth, own in counts.items():
        totals[truth] += sum(own.values())
        totals.update(own)
    labels = [label for label, _ in sorted(totals.items(), key=lambda one: (-one[1], one[0]))]
    given = set().union(*counts.values())
    answers = [label for label in labels if label in given][:MOST_LABELS]
    truths = [label for label in labels if label in counts][:MOST_LABELS]
    rows = [
        (truth, sum(counts[truth].values()), [counts[truth].get(answer, 0) for answer in answers]) for truth in truths
    ]
    return Confusion(answers, rows, len(given) > MOST_LABELS or len(counts) > MOST_LABELS)
