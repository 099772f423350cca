"""`batchdrop show`: one job's state, timeline, cost, and the reasons of failed rows."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import SplitSoFar, Summary, has_too_few, read_split, read_summary
from batchdrop.cli.job.failures import FailureKind, Failures, failures_in
from batchdrop.cli.job.figures import counted, dollars, duration, moment, perhaps_paid, sum_of_fates
from batchdrop.cli.job.jobs import Job, JobStatus
from batchdrop.cli.job.timeline import Event, answers_of, timeline
from batchdrop.ports import ObjectMissing
from batchdrop.report.going_on import kept_answers
from batchdrop.report.gold_block import GoldBlock, gold_words
from batchdrop.report.summary import TallyBlock

LEFT = 10  # width of the first column
MOST_FAULTS = MOST_NOTES = 5  # shown; summary.json lists all


class Shown(msgspec.Struct, frozen=True):
    """Everything that is shown of a job. `summary` is its summary.json, None before it is first closed."""

    job_id: str
    status: JobStatus
    input: str
    rows: int | None
    shards: int | None
    executions: list[str]
    cause: str
    timeline: list[Event]
    failures: Failures
    summary: Summary | None


def shown(deployment: Deployment, job: Job) -> Shown:
    """Read everything that is shown of a job."""
    split, summary = read_split(deployment.bucket, job.job_id), read_summary(deployment.bucket, job.results)
    return Shown(
        job_id=job.job_id,
        status=job.status,
        input=f"s3://{deployment.bucket_name}/{job.record.key}",
        rows=_rows(split, summary),
        shards=len(split.shards) if split else None,
        executions=[one.name for one in job.executions],
        cause=job.cause or job.error,
        timeline=timeline(
            job,
            split=split,
            submissions=deployment.ledger.submissions(job.job_id),
            answers=deployment.bucket.listed(answers_of(job.job_id)),
            halt=deployment.ledger.halted(job.job_id),
            summary=summary,
        ),
        failures=_failures(deployment, summary),
        summary=summary,
    )


def _rows(split: SplitSoFar | None, summary: Summary | None) -> int | None:
    if split is not None:
        return split.rows
    return int(summary["tally"]["rows"]) if summary else None


def _failures(deployment: Deployment, summary: Summary | None) -> Failures:
    key = summary["outputs"]["failed"] if summary else None
    if not key:
        return Failures()
    try:
        with closing(deployment.store.stream(key)) as blocks:
            return failures_in(blocks)
    except ObjectMissing:
        return Failures()


def print_shown(one: Shown, deployment: Deployment, console: Console) -> None:
    """Print a job."""
    style = {JobStatus.SUCCEEDED: "green", JobStatus.RUNNING: "yellow"}.get(one.status, "red")
    console.print(Text.assemble(("job ", "bold"), (one.job_id, "bold"), "  ", (one.status.value, style)))
    _line(console, "input", one.input)
    if one.rows is not None:
        _line(console, "rows", f"{one.rows:,} in {counted(one.shards or 0, 'shard')}")
    if one.summary is not None:
        _print_summary(one.summary, console)
    elif one.cause:
        _line(console, "cause", one.cause, "red")
    _print_timeline(one.timeline, console)
    _print_failures(one.failures, console)
    _print_hints(one, deployment, console)


def _line(console: Console, name: str, words: str, style: str = "") -> None:
    console.print(Text.assemble((f"{name:<{LEFT}}", "dim"), (words, style)), soft_wrap=True)


def _print_summary(summary: Summary, console: Console) -> None:
    tally: dict[str, Any] = summary["tally"]
    _line(console, "tally", sum_of_fates(tally))
    odd = {status: count for status, count in tally["statuses"].items() if status != "answered"}
    if odd:
        _line(console, "statuses", ", ".join(f"{count:,} {status}" for status, count in odd.items()))
    _line(console, "cost", _cost(summary))
    if remembered := summary.get("remembered"):
        _line(console, "remembered", f" {remembered['rows']:,} rows, which saved {dollars(remembered['saved_usd'])}")
    if escalation := summary.get("escalation"):
        _line(console, "escalated", _escalated(escalation))
    for block in msgspec.convert(summary.get("gold", []), list[GoldBlock]):
        _line(console, block.field[: LEFT - 1], gold_words(block))
    if unsettled := perhaps_paid(summary):
        listed = "; see perhaps-paid.jsonl. `batchdrop resume` reads their results again"
        _line(console, "perhaps", unsettled + (listed if summary["perhaps_paid"]["rows"] else ""))
    _line(console, "took", duration(summary["timings"]["total_seconds"]) + " from upload to outputs")
    for fault in summary["faults"][:MOST_FAULTS]:
        where = "" if fault["shard"] is None else f"shard {fault['shard']}: "
        _line(console, "fault", f"{where}{fault['type']}: {fault['message']}", "red")
    if len(summary["faults"]) > MOST_FAULTS:
        _line(console, "", f"and {len(summary['faults']) - MOST_FAULTS:,} more faults, in summary.json")
    notes: list[str] = summary.get("notes", [])
    for note in notes[:MOST_NOTES]:
        _line(console, "note", note, "yellow")
    if len(notes) > MOST_NOTES:
        _line(console, "", f"and {len(notes) - MOST_NOTES:,} more notes, in summary.json")


def _cost(summary: Summary) -> str:
    lanes = [
        f"{lane['answers']:,} answers in the {lane['lane']} lane {dollars(lane['usd'])}" for lane in summary["lanes"]
    ]
    return dollars(summary["cost"]["usd"]) + (f" ({', '.join(lanes)})" if lanes else "")


def _escalated(escalation: dict[str, Any]) -> str:
    """Return how many rows were escalated, why, and what both models cost."""
    why = ", ".join(f"{rows:,} {text}" for text, rows in escalation["reasons"].items())
    models = ", ".join(f"{one['model']} {dollars(one['usd'])}" for one in escalation["models"])
    words = f"{counted(escalation['rows'], 'row')} to {escalation['to']}" + (f" ({why})" if why else "")
    if missing := escalation["rows"] - escalation["answered"]:
        words += f"; {missing:,} without its answer"
    if escalation["kept"]:
        words += f"; {escalation['kept']:,} kept the first answer"
    return f"{words}; {models}" if models else words


def _print_timeline(events: list[Event], console: Console) -> None:
    console.print()
    console.print(Text("timeline (UTC)", style="bold"))
    for event in events:
        until = f" – {moment(event.until)[11:]}" if event.until and moment(event.until) != moment(event.at) else ""
        console.print(Text.assemble((f"  {moment(event.at)}{until}", "cyan"), f"  {event.what}"), soft_wrap=True)


def _print_failures(failures: Failures, console: Console) -> None:
    if not failures.kinds:
        return
    console.print()
    head = f"{counted(failures.rows, 'row')} without a usable answer" + (
        "" if failures.is_whole else " (the first ones only)"
    )
    console.print(Text(head, style="bold"))
    for kind in failures.kinds:
        _print_kind(kind, console)


def _print_kind(kind: FailureKind, console: Console) -> None:
    console.print(Text(f"  {kind.rows:,} × {kind.status}: {kind.kind}", style="red"), soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for sample in kind.samples:
        cells = ", ".join(f"{name}={cell}" for name, cell in sample.cells.items())
        place = "" if sample.row is None else f"row {sample.row:,}"
        grid.add_row("    e.g.", Text.assemble((f"{place} " if place else "", "bold"), (cells, "dim")))
        grid.add_row("", Text(sample.reason))
    console.print(grid)


def _kept(summary: Summary) -> str:
    """Return what going on does not pay for again."""
    known = {name: summary["tally"].get(name, 0) for name in TallyBlock.__struct_fields__}
    return kept_answers(TallyBlock(**known))


def _print_hints(one: Shown, deployment: Deployment, console: Console) -> None:
    console.print()
    hints = [("one row", deployment.command("show", one.job_id, "--row", "N"))]
    if one.status is JobStatus.RUNNING:
        hints += [("follow it", deployment.command("watch", one.job_id))]
    else:
        hints += [("its outputs", deployment.command("fetch", one.job_id))]
    if one.summary is not None and one.status not in {JobStatus.RUNNING, JobStatus.SUCCEEDED}:
        _line(console, "kept", _kept(one.summary), "bold")
    is_unsettled = one.summary is not None and bool(one.summary.get("perhaps_paid", {}).get("rows"))
    is_red = one.status not in {JobStatus.RUNNING, JobStatus.SUCCEEDED} and not has_too_few(one.summary)
    if is_red or (is_unsettled and one.status is not JobStatus.RUNNING):
        hints += [("continue it", deployment.command("resume", one.job_id))]
    if one.failures.kinds and one.status is not JobStatus.RUNNING:
        hints += [("send them again", deployment.command("retry", one.job_id))]
    for what, command in hints:
        console.print(Text(f"{what:<16}{command}", style="dim"), soft_wrap=True)
