"""Make charts from statistics: choose them, merge bins for display, and describe each in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from batchdrop.adapters.pages.charts import Chart, bars, columns
from batchdrop.adapters.pages.figures import compact, share, span, whole
from batchdrop.adapters.pages.plain_text import shown
from batchdrop.report.answer_counts import ColumnCounts
from batchdrop.report.histogram import EIGHTHS, Histogram, Spread, edge, floor_of
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import MessageBatchBlock

MOST_BARS = 12  # labels drawn; all others share one bar
MOST_COLUMNS = 24  # bins drawn: more do not fit a phone


def answer_charts(statistics: Statistics) -> Iterator[Chart]:
    """Yield a chart for each answer column that can be counted."""
    for name, counts in statistics.columns.items():
        title = shown(name, 60)
        if counts.kind == "number":
            yield from _numbers(title, counts)
        elif not counts.is_free and counts.labels.counts:
            yield _labels(title, counts)


def token_charts(statistics: Statistics) -> Iterator[Chart]:
    """Yield charts of prompt and answer lengths."""
    for histogram, title in (
        (statistics.input_tokens, "Input tokens per row"),
        (statistics.output_tokens, "Output tokens per row"),
    ):
        if histogram.count:
            yield _histogram(title, histogram, compact, "tokens")


def time_charts(statistics: Statistics, sent: list[MessageBatchBlock]) -> Iterator[Chart]:
    """Yield charts of the live lane's times per answer, and of Message Batches from submission to collection."""
    if statistics.milliseconds.count:
        yield _histogram("Live lane: time per answer", statistics.milliseconds, lambda ms: span(ms / 1000), "time")
    took = Histogram()
    for one in sent:
        if one.sent_at and one.collected_at:
            took.add({round((one.collected_at - one.sent_at).total_seconds()): 1})
    if took.count > 1:
        yield _histogram("Message Batches: submission to collection", took, span, "time", counts="Message Batches")


def _labels(title: str, column: ColumnCounts) -> Chart:
    ranked = sorted(column.labels.counts.items(), key=lambda one: (-one[1], one[0]))
    rows, rest = ranked[:MOST_BARS], ranked[MOST_BARS:]
    others = sum(count for _, count in rest) + column.labels.other
    rows += [("(all others)", others)] if others else []
    rows += [("(none)", column.labels.missing)] if column.labels.missing else []
    label, count = ranked[0]
    says = f"{shown(label, 40) or '(empty)'} is the most frequent: {whole(count)} rows, {share(count, column.answers)}."
    return bars(title, says, [(shown(one, 80) or "(empty)", times) for one, times in rows], of=title)


def _numbers(title: str, column: ColumnCounts) -> Iterator[Chart]:
    spread = column.number
    if not spread.count:
        return
    if spread.exponent is None:
        ranked = sorted(((float(value), count) for value, count in spread.values.items()))
        rows = [(f"{value:.6g}", count) for value, count in ranked]
        if len(rows) > MOST_COLUMNS:
            rows = _binned(spread)
    else:
        rows = _binned(spread)
    says = f"From {rows[0][0]} to {rows[-1][0]}, {whole(spread.count)} numbers."
    yield columns(title, says, rows, of=title, counts="rows")


def _binned(spread: Spread) -> list[tuple[str, int]]:
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
    exponent = wide.exponent + steps
    return [(f"{edge(place, exponent):.3g}", merged.get(place, 0)) for place in range(min(merged), max(merged) + 1)]


def _histogram(
    title: str, histogram: Histogram, written: Callable[[float], str], of: str, counts: str = "answers"
) -> Chart:
    middle, high = histogram.quantile(0.5), histogram.quantile(0.95)
    says = (
        f"Half are at most {written(middle)}, 95 % at most {written(high)}, the largest {written(histogram.largest)}."
    )
    return columns(title, says, _coarsened(histogram, written), of=of, counts=counts)


def _coarsened(histogram: Histogram, written: Callable[[float], str]) -> list[tuple[str, int]]:
    """Return at most MOST_COLUMNS bins on the same scale; each merges a power of two of the fine ones."""
    steps = 0
    while (max(histogram.bins) >> steps) - (min(histogram.bins) >> steps) >= MOST_COLUMNS and steps < EIGHTHS + 2:
        steps += 1
    merged: dict[int, int] = {}
    for place, count in histogram.bins.items():
        merged[place >> steps] = merged.get(place >> steps, 0) + count
    return [(written(floor_of(place << steps)), merged.get(place, 0)) for place in range(min(merged), max(merged) + 1)]
