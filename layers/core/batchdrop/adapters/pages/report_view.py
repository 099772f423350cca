"""Compute the values of `report.html.j2` from summary, manifest and statistics."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from batchdrop.adapters.pages.distributions import answer_charts, time_charts, token_charts
from batchdrop.adapters.pages.figures import moment, span, whole
from batchdrop.adapters.pages.gold_view import gold_views
from batchdrop.adapters.pages.next_steps import next_steps, to_go_on
from batchdrop.adapters.pages.plain_labels import is_code, plain_label
from batchdrop.adapters.pages.plain_text import shown
from batchdrop.job.manifest import Manifest
from batchdrop.money.cost import shown_usd
from batchdrop.report.commands import Commands
from batchdrop.report.crosstab import Crosstab
from batchdrop.report.failure_samples import FailureKind
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import RememberedBlock, Summary

MOST_MESSAGE_BATCHES = 20  # in the list; the slowest ones
MOST_FAULTS = 10
MOST_NOTES = 10


class Fated(NamedTuple):
    """A segment of the fates bar."""

    name: str
    rows: int


class Crossed(NamedTuple):
    """A crosstab: labels across, values of a column of the file down. `rows` are a value, its total and its counts."""

    answer: str
    column: str
    labels: list[str]
    rows: list[tuple[str, int, list[int]]]


class FailureGroup(NamedTuple):
    """A kind of failure in plain words; `code` is its name for programs, or empty."""

    label: str
    code: str
    kind: FailureKind


def report_view(
    summary: Summary, manifest: Manifest | None, statistics: Statistics, commands: Commands
) -> dict[str, Any]:
    """Return the values of the report's template."""
    return {
        "summary": summary,
        "filename": summary.input.rpartition("/")[2] or summary.input,
        "headline": _headline(summary),
        "fates": _fates(summary),
        "faults": summary.faults[:MOST_FAULTS],
        "notes": summary.notes[:MOST_NOTES],
        "estimate": summary.estimate,
        "go_on": to_go_on(summary, commands),
        "steps": next_steps(summary, commands),
        "answer_charts": list(answer_charts(statistics)),
        "gold": [] if summary.gold is msgspec.UNSET else gold_views(summary.gold, statistics),
        "crosstab": _crossed(statistics.crosstab),
        "token_charts": list(token_charts(statistics)),
        "time_charts": list(time_charts(statistics, summary.message_batches)),
        "groups": _groups(statistics.failures.kinds),
        "recipe": _recipe(summary, manifest),
        "message_batches": _slowest(summary),
        "files": _files(summary),
        "tokens": summary.tokens,
    }


def _headline(summary: Summary) -> str:
    tally = summary.tally
    if not summary.outputs.output:
        return "Nothing was sent"
    return f"{whole(tally.answered)} of {whole(tally.rows)} rows answered"


def _fates(summary: Summary) -> list[Fated]:
    tally = summary.tally
    parts = [
        Fated("answered", tally.answered),
        Fated("unusable", tally.unusable),
        Fated("failed", tally.failed),
        Fated("rejected", tally.rejected),
    ]
    return [part for part in parts if part.rows or part.name == "answered"]


def _crossed(crosstab: Crosstab) -> Crossed | None:
    """Return the crosstab of the column that says most about the label, the most frequent values first."""
    best = crosstab.best
    if best is None:
        return None
    column, counts = best
    totals: Counter[str] = Counter()
    for own in counts.values():
        totals.update(own)
    labels = [label for label, _ in sorted(totals.items(), key=lambda one: (-one[1], one[0]))]
    rows = [(shown(value), sum(own.values()), [own.get(label, 0) for label in labels]) for value, own in counts.items()]
    rows.sort(key=lambda row: (-row[1], row[0]))
    return Crossed(crosstab.answer, column, labels, rows)


def _groups(kinds: dict[str, FailureKind]) -> list[FailureGroup]:
    ranked = sorted(kinds.items(), key=lambda one: (-one[1].rows, one[0]))
    return [FailureGroup(plain_label(name), name if is_code(name) else "", kind) for name, kind in ranked]


def _recipe(summary: Summary, manifest: Manifest | None) -> list[tuple[str, str, bool]]:
    """Return the recipe as term, text, and whether the text is long or code."""
    times = summary.timings
    known: list[tuple[str, str, bool]] = [
        ("Job", summary.job_id, False),
        ("File", f"{summary.input} ({whole(summary.bytes)} bytes)", False),
        ("Uploaded", moment(times.uploaded_at), False),
        ("Finished", f"{moment(times.finished_at)}, {span(times.total_seconds)} after the upload", False),
        (
            "Split",
            f"{whole(summary.shards)} {'shard' if summary.shards == 1 else 'shards'} in {span(times.split_seconds)}",
            False,
        ),
    ]
    if isinstance(summary.remembered, RememberedBlock):
        saved = shown_usd(summary.remembered.saved_usd)
        known.append(("Remembered", f"{whole(summary.remembered.rows)} rows, which saved {saved}", False))
    if manifest is None or manifest.recipe is None:
        return known
    recipe = manifest.recipe
    turns = [turn.content if turn.role == "user" else f"[{turn.role}] {turn.content}" for turn in recipe.turns]
    known += [("Model", summary.model or recipe.model, False), ("Prompt", "\n\n".join(turns), True)]
    known += [("System", _text(recipe.system), True)] if recipe.system else []
    known += [("Answer", _keys(recipe.answer), True)] if recipe.answer else []
    known += [("max_tokens", _limit(recipe.max_tokens), False), ("Lane", recipe.lane, False)]
    return [one for one in known if one[1]]


def _limit(value: int | str) -> str:
    return value if isinstance(value, str) else whole(value)


def _text(value: Any) -> str:
    return "" if value is None else str(getattr(value, "text", value))


def _keys(answer: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {spec}" for name, spec in answer.items())


def _slowest(summary: Summary) -> list[tuple[Any, float | None]]:
    """Return the slowest Message Batches with their seconds; those that were never collected come first."""
    timed = [(one, _seconds(one.sent_at, one.collected_at)) for one in summary.message_batches]
    timed.sort(key=lambda one: (one[1] is not None, -(one[1] or 0.0)))
    return timed[:MOST_MESSAGE_BATCHES]


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None


def _files(summary: Summary) -> list[tuple[str, str]]:
    outputs = summary.outputs
    files = []
    if outputs.output:
        files.append((outputs.output.rpartition("/")[2], "all rows with their answers"))
    if outputs.failed and summary.tally.rows > summary.tally.answered:
        files.append(("failed.jsonl", "rows without a usable answer, with the reasons; can be dropped again"))
    if outputs.perhaps_paid:
        files.append(("perhaps-paid.jsonl", "rows that may be paid, and where their results can be found"))
    return [*files, ("summary.json", "the numbers of this page, for programs")]
