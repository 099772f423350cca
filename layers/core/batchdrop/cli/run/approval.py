"""Approve a job's sample: `batchdrop approve`, and the question that `batchdrop run` asks."""

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
from batchdrop.cli.job.figures import sum_of_fates
from batchdrop.cli.job.job_control import NoSuchJobError, cancel, last_execution
from batchdrop.cli.run.outputs import first_rows_table
from batchdrop.job.approve_job import approve_job

RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Approval:
    """The result of an approval. `is_heard`: a task was waiting for it, and continues."""

    job: str
    approved_at: str
    is_heard: bool
    status: str


def approve(deployment: Deployment, job_id: str) -> Approval:
    """Approve a job's sample, so that the other rows are sent. A second approval changes nothing.

    Raises NoSuchJobError if there is nothing to approve.
    """
    record, status = last_execution(deployment, job_id)
    job_id = record.job_id
    if status == "SUCCEEDED":
        raise NoSuchJobError(f"job {job_id} has succeeded; there is nothing to approve")
    if not deployment.approvals.tokens(job_id):
        when = "yet; its sample is not answered" if status == RUNNING else f"any more; it has ended ({status.lower()})"
        raise NoSuchJobError(f"job {job_id} does not wait for approval {when}")
    approved = approve_job(job_id, datetime.now(UTC), approvals=deployment.approvals, tokens=deployment.tokens)
    return Approval(job_id, approved.at.isoformat(timespec="seconds"), approved.is_heard, status)


def as_text(approval: Approval) -> str:
    """Return the message for the user."""
    at = datetime.fromisoformat(approval.approved_at)
    said = f"job {approval.job}: the sample was approved at {at:%Y-%m-%d %H:%M:%S} UTC"
    if approval.is_heard:
        return f"{said}, and the other rows are sent now"
    if approval.status == RUNNING:
        return f"{said}; the job no longer waits for that. If it ends, continue it with `batchdrop resume`"
    return f"{said}. It has ended ({approval.status.lower()}): `batchdrop resume {approval.job}` sends the other rows"


def decide_on_sample(
    deployment: Deployment, job_id: str, folder: Path, console: Console, *, approves: bool, asks: bool | None = None
) -> bool:
    """Show a fetched sample; approve the other rows, or cancel the job. Return True if it is approved.

    `approves` approves it beforehand. `asks`: whether a person can be asked; by default, if this is a terminal.
    """
    show_sample(folder, console)
    is_terminal = console.is_terminal and sys.stdin.isatty() if asks is None else asks
    if approves or (is_terminal and typer.confirm("Continue?", default=False)):
        console.print(Text(as_text(approve(deployment, job_id))), soft_wrap=True)
        return True
    cancel(deployment, job_id)
    console.print(Text("ends after the sample: its answers are kept, the other rows are not sent"), soft_wrap=True)
    if not is_terminal:
        how = "to continue without a question, run it with --yes, or set continue_under_usd in the recipe's sample"
        console.print(Text(how), soft_wrap=True)
    return False


def show_sample(folder: Path, console: Console) -> None:
    """Print a fetched sample: its first rows with answers, their cost, and the projected cost of the whole file."""
    report: dict[str, Any] = json.loads((folder / "sample.json").read_text(encoding="utf-8"), parse_float=Decimal)
    tally, rest = report["tally"], report["rest"]
    console.print(first_rows_table(folder / report["output"].rsplit("/", 1)[-1], room=console.width))
    console.print(Text(f"the sample: {tally['rows']:,} rows = {sum_of_fates(tally)}", style="bold"), soft_wrap=True)
    behind = f"{rest['rows']:,} rows ({rest['requests']:,} requests) in the {rest['lane']} lane"
    console.print(Text(f"not sent yet: {behind}"), soft_wrap=True)
    console.print(Text(cost_words(report)), soft_wrap=True)


def cost_words(report: dict[str, Any]) -> str:
    """Return the cost of the sample and the projected cost of the whole file, in one line."""
    if report["spent_usd"] is None:
        return f"cost: unknown, because {report['model']} has no known price"
    spent = f"cost: {_dollars(report['spent_usd'])} so far"
    projected = report["projected"]
    if projected is None:
        return f"{spent}; without an answer, the cost of the whole file is unknown"
    low, expected, high = (_dollars(projected[f"{name}_usd"]) for name in ("low", "expected", "high"))
    return f"{spent}; the whole file about {expected} ({low} to {high}, if its rows are like the others)"


def _dollars(usd: Decimal | float) -> str:
    digits = next(digits for least, digits in ((1, 2), (0.01, 4), (0, 6)) if usd >= least)
    return f"${usd:,.{digits}f}"
