"""Approve a job's sample: `batchdrop approve`, and what `batchdrop run` shows and asks in between."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.job_control import NoSuchJobError, cancel, last_execution
from batchdrop.cli.run.outputs import first_rows_table
from batchdrop.job.approve_job import approve_job

RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Approval:
    """What came of an approval. `is_heard`: a task that waited for it goes on."""

    job: str
    approved_at: str
    is_heard: bool
    status: str


def approve(deployment: Deployment, job_id: str) -> Approval:
    """Let a job that has shown its sample ask the rest. A second approval changes nothing.

    Raises NoSuchJobError if there is nothing to approve.
    """
    record, status = last_execution(deployment, job_id)
    job_id = record.job_id
    if status == "SUCCEEDED":
        raise NoSuchJobError(f"job {job_id} has succeeded; there is nothing to approve")
    if not deployment.approvals.tokens(job_id):
        when = "yet; its sample is not shown" if status == RUNNING else f"and has ended ({status.lower()})"
        raise NoSuchJobError(f"job {job_id} does not wait for an approval {when}")
    approved = approve_job(job_id, datetime.now(UTC), approvals=deployment.approvals, tokens=deployment.tokens)
    return Approval(job_id, approved.at.isoformat(timespec="seconds"), approved.is_heard, status)


def as_text(approval: Approval) -> str:
    """Return what to tell the user."""
    at = datetime.fromisoformat(approval.approved_at)
    said = f"job {approval.job}: the sample is approved since {at:%Y-%m-%d %H:%M:%S} UTC"
    if approval.is_heard:
        return f"{said}, and the rest is asked now"
    if approval.status == RUNNING:
        return f"{said}; nobody waits for that any more, so the job goes on, or is ending: then `batchdrop resume` it"
    return f"{said}. It has ended ({approval.status.lower()}): `batchdrop resume {approval.job}` asks the rest"


def decide_on_sample(
    deployment: Deployment, job_id: str, folder: Path, console: Console, *, approves: bool, asks: bool | None = None
) -> bool:
    """Show a fetched sample; approve the rest, or cancel the job. True if it is approved.

    `approves` says so beforehand. `asks`: whether there is somebody to be asked; by default, if this is a terminal.
    """
    show_sample(folder, console)
    is_terminal = console.is_terminal and sys.stdin.isatty() if asks is None else asks
    if approves or (is_terminal and typer.confirm("Go on?", default=False)):
        console.print(Text(as_text(approve(deployment, job_id))), soft_wrap=True)
        return True
    cancel(deployment, job_id)
    console.print(Text("ends after the sample: its answers are kept, the rest is not asked"), soft_wrap=True)
    if not is_terminal:
        how = "to go on without being asked, run it with --yes, or set continue_under_usd in the recipe's sample"
        console.print(Text(how), soft_wrap=True)
    return False


def show_sample(folder: Path, console: Console) -> None:
    """Print a fetched sample: its first rows with their answers, what they cost, and what the whole would cost."""
    report: dict[str, Any] = json.loads((folder / "sample.json").read_text(encoding="utf-8"), parse_float=Decimal)
    tally, rest = report["tally"], report["rest"]
    console.print(first_rows_table(folder / report["output"].rsplit("/", 1)[-1], room=console.width))
    counts = f"{tally['answered']:,} answered, {tally['failed']:,} failed, {tally['rejected']:,} rejected"
    console.print(Text(f"the sample: {tally['rows']:,} rows, {counts}", style="bold"), soft_wrap=True)
    behind = f"{rest['rows']:,} rows ({rest['requests']:,} requests) in the {rest['lane']} lane"
    console.print(Text(f"not asked yet: {behind}"), soft_wrap=True)
    console.print(Text(cost_words(report)), soft_wrap=True)


def cost_words(report: dict[str, Any]) -> str:
    """Return what the sample cost and the whole would, in one line."""
    if report["spent_usd"] is None:
        return f"cost: not known, for the price of {report['model']} is not"
    spent = f"cost: {_dollars(report['spent_usd'])} so far"
    projected = report["projected"]
    if projected is None:
        return f"{spent}; without an answer, nothing can be said of the whole"
    low, expected, high = (_dollars(projected[f"{name}_usd"]) for name in ("low", "expected", "high"))
    return f"{spent}; the whole about {expected} ({low} to {high}, if the first rows are like the others)"


def _dollars(usd: Decimal | float) -> str:
    digits = next(digits for least, digits in ((1, 2), (0.01, 4), (0, 6)) if usd >= least)
    return f"${usd:,.{digits}f}"
