"""Make charts from statistics: choose them, merge bins for display, and describe each in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from batchdrop.adapters.pages.charts import Bin, Chart, bars, columns, histogram
from batchdrop.adapters.pages.figures import compact, share, span, whole
from batchdrop.adapters.pages.plain_text import shown
from batchdrop.adapters.pages.ticks import Tick, count_ticks, even_ticks, second_ticks, time_ticks
from batchdrop.report.answer_counts import TEXTS, ColumnCounts
from batchdrop.report.histogram import EIGHTHS, Histogram, Spread, edge, floor_of
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import MessageBatchBlock

MOST_BARS = 12  # labels drawn; all others share one bar
MOST_COLUMNS = 24  # bins drawn: more do not fit a phone

Ticks = Callable[[int, int], list[Tick]]


def answer_charts(statistics: Statistics) -> Iterator[Chart]:
    """Yield a chart for each answer column that can be counted."""
    for name, counts in statistics.columns.items():
        title = shown(name, 60)
        if counts.kind == "number":
            yield from number_charts(title, counts)
        elif not counts.is_free and counts.labels.counts and _repeat(counts):
            yield _labels(title, counts)


def _repeat(column: ColumnCounts) -> bool:
    """Return whether texts stand in several rows each, as labels do."""
    distinct = len(column.labels.counts)
    return column.kind not in TEXTS or distinct <= MOST_BARS or 2 * distinct <= column.answers


def token_charts(statistics: Statistics) -> Iterator[Chart]:
    """Yield charts of prompt and answer lengths."""
    for counted, title in (
        (statistics.input_tokens, "Input tokens per row"),
        (statistics.output_tokens, "Output tokens per row"),
    ):
        if counted.count:
            yield _histogram(title, counted, compact, "tokens", count_ticks)


def time_charts(statistics: Statistics, sent: list[MessageBatchBlock]) -> Iterator[Chart]:
    """Yield charts of the live lane's times per answer, and of Message Batches from submission to collection."""
    if statistics.milliseconds.count:
        times = statistics.milliseconds
        yield _histogram("Live lane: time per answer", times, lambda ms: span(ms / 1000), "time", time_ticks)
    took = Histogram()
    for one in sent:
        if one.sent_at and one.collected_at:
            took.add({round((one.collected_at - one.sent_at).total_seconds()): 1})
    if took.count > 1:
        title = "Message Batches: submission to collection"
        yield _histogram(title, took, span, "time", second_ticks, counts="Message Batches")


def _labels(title: str, column: ColumnCounts) -> Chart:
    ranked = sorted(column.labels.counts.items(), key=lambda one: (-one[1], one[0]))
    rows, rest = ranked[:MOST_BARS], ranked[MOST_BARS:]
    others = sum(count for _, count in rest) + column.labels.other
    rows += [("(all others)", others)] if others else []
    rows += [("(none)", column.labels.missing)] if column.labels.missing else []
    label, count = ranked[0]
    says = f"{shown(label, 40) or '(empty)'} is the most frequent: {whole(count)} rows, {share(count, column.answers)}."
    drawn = bars(title, says, [(shown(one, 80) or "(empty)", times) for one, times in rows], of=title)
    drawn_labels = [label for label, _ in ranked[:MOST_BARS]]
    return replace(drawn, examples={one: column.examples[one] for one in drawn_labels if one in column.examples})


def number_charts(title: str, column: ColumnCounts) -> Iterator[Chart]:
    """Yield the chart of a column's numbers, if it has any."""
    spread = column.number
    if not spread.count:
        return
    if spread.exponent is None and len(spread.values) <= MOST_COLUMNS:
        ranked = sorted((float(value), count) for value, count in spread.values.items())
        rows = [(f"{value:.6g}", count) for value, count in ranked]
        says = f"From {rows[0][0]} to {rows[-1][0]}, {whole(spread.count)} numbers."
        yield columns(title, says, rows, of=title, counts="rows")
        return
    bins = _binned(spread)
    low, high = bins[0].start, bins[-1].end
    least, greatest = (low, high) if spread.low is None or spread.high is None else (spread.low, spread.high)
    says = f"From {least:.6g} to {greatest:.6g}, {whole(spread.count)} numbers."
    yield histogram(title, says, bins, even_ticks(low, high), of=title, counts="rows")


def _binned(spread: Spread) -> list[Bin]:
    """Return at most MOST_COLUMNS bins of equal width, including empty ones."""
    wide = Spread()
    wide.merge(spread)
    wide.to_bins()
    assert wide.exponent is not None
    steps = 0
    while (max(wide.bins) >> steps) - (min(wide.bins) >> steps) >= MOST_COLUMNS:
        steps += 1
    merged: dict[int, int] = {}
    for place, count in wide.bins.items():
        merged[place >> steps] = merged.get(place >> steps, 0) + count
    edges = [edge(place, wide.exponent + steps) for place in range(min(merged), max(merged) + 2)]
    return [
        Bin(f"{start:.4g} to {end:.4g}", start, end, merged.get(place, 0))
        for place, (start, end) in enumerate(pairwise(edges), min(merged))
    ]


def _histogram(
    title: str, counted: Histogram, written: Callable[[float], str], of: str, ticks: Ticks, counts: str = "answers"
) -> Chart:
    middle, high = counted.quantile(0.5), counted.quantile(0.95)
    says = f"Half are at most {written(middle)}, 95 % at most {written(high)}, the largest {written(counted.largest)}."
    bins = _coarsened(counted, written)
    axis = ticks(floor_of(round(bins[0].start)), floor_of(round(bins[-1].end)))
    return histogram(title, says, bins, axis, of=of, counts=counts)


def _coarsened(counted: Histogram, written: Callable[[float], str]) -> list[Bin]:
    """Return at most MOST_COLUMNS bins on the same scale; each merges a power of two of the fine ones."""
    steps = 0
    while (max(counted.bins) >> steps) - (min(counted.bins) >> steps) >= MOST_COLUMNS and steps < EIGHTHS + 2:
        steps += 1
    merged: dict[int, int] = {}
    for place, count in counted.bins.items():
        merged[place >> steps] = merged.get(place >> steps, 0) + count
    return [
        Bin(written(floor_of(place << steps)), place << steps, (place + 1) << steps, merged.get(place, 0))
        for place in range(min(merged), max(merged) + 1)
    ]
