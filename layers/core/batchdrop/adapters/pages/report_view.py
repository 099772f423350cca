"""Compute the values of `report.html.j2` from summary, manifest and statistics."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from batchdrop.adapters.pages.distributions import answer_charts, time_charts, token_charts
from batchdrop.adapters.pages.figures import moment, span, whole
from batchdrop.adapters.pages.next_steps import next_steps
from batchdrop.job.manifest import Manifest
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary

MOST_MESSAGE_BATCHES = 20  # in the list; the slowest ones
MOST_FAULTS = 10
MOST_NOTES = 10


class Fated(NamedTuple):
    """A segment of the fates bar."""

    name: str
    rows: int


def report_view(summary: Summary, manifest: Manifest | None, statistics: Statistics) -> dict[str, Any]:
    """Return the values of the report's template."""
    return {
        "summary": summary,
        "filename": summary.input.rpartition("/")[2] or summary.input,
        "headline": _headline(summary),
        "fates": _fates(summary),
        "faults": summary.faults[:MOST_FAULTS],
        "notes": summary.notes[:MOST_NOTES],
        "estimate": summary.estimate,
        "steps": next_steps(summary),
        "answer_charts": list(answer_charts(statistics)),
        "token_charts": list(token_charts(statistics)),
        "time_charts": list(time_charts(statistics, summary.message_batches)),
        "kinds": sorted(statistics.failures.kinds.items(), key=lambda one: (-one[1].rows, one[0])),
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
