"""`batchdrop retry` and `batchdrop drop --into`: send rows of a job again, as the job's next version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from batchdrop.cli.check.recipes import load_recipe
from batchdrop.cli.console import USAGE_ERROR, CommandError
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import read_summary
from batchdrop.cli.job.figures import counted
from batchdrop.cli.job.job_control import ControlResult
from batchdrop.cli.job.jobs import Job, JobStatus, NoSuchJobError, find_job, known_job
from batchdrop.errors import RetryRefused
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.finish.order_retry import order_retry
from batchdrop.job.retry import RetryOrder, read_order, versions


class NotRetriableError(CommandError):
    """The options do not name rows; the message says what to write."""

    exit_code = USAGE_ERROR


def wanted_rows(
    statuses: str | None, rows: str | None, recipe: Path | None, *, again: bool, lines: Path | None = None
) -> Wanted:
    """Return the rows that a command's options name. Raises NotRetriableError, and RecipeRejected for the recipe."""
    if statuses and rows:
        message = "use either --status or --rows, not both"
        raise NotRetriableError(message)
    return Wanted(
        statuses=frozenset(_words(statuses)),
        rows=frozenset(row_numbers(rows)),
        lines=None if lines is None else lines.read_bytes().splitlines(),
        recipe=None if recipe is None else load_recipe(recipe),
        again=again,
    )


def retry(deployment: Deployment, job_id: str, wanted: Wanted) -> ControlResult:
    """Start the next version of a job that has ended; a repeated command finds the version that it started.

    Raises NoSuchJobError for a job that runs or was not closed, and RetryRefused.
    """
    job = find_job(deployment, job_id)
    newest = _newest(deployment, job)
    known = versions(deployment.store, newest.job_id)[-1]
    if newest.job_id == known:
        _refuse_open(deployment, newest)
    try:
        order = order_retry(wanted, newest.record, store=deployment.store, now=datetime.now(UTC))
    except RetryRefused:
        pending = read_order(deployment.store, known)
        if known != newest.job_id and pending is not None:  # a killed command ordered it: without a start, none can end
            deployment.jobs.start(pending.record)
        raise
    version = order.record.job_id
    message = f"{counted(order.rows, 'row')} of job {job.job_id} {_are(order)} sent again as {version}"
    if newest.job_id != version:
        deployment.jobs.start(order.record)
    else:
        message = f"{version} was started by an earlier retry of the same rows; nothing more is sent"
    return ControlResult(version, "running", message, version)


def _are(order: RetryOrder) -> str:
    return "is" if order.rows == 1 else "are"


def _newest(deployment: Deployment, job: Job) -> Job:
    """Return the newest version of a job that was started."""
    for version in reversed(versions(deployment.store, job.job_id)):
        found = job if version == job.job_id else known_job(deployment, version)
        if found is not None:  # else its order is written, and its execution is not started yet
            return found
    return job


def _refuse_open(deployment: Deployment, job: Job) -> None:
    """Raise NoSuchJobError for a job that may have open requests, except for a retry: a repeated command finds it."""
    if job.status is JobStatus.RUNNING and read_order(deployment.store, job.job_id) is not None:
        return
    if job.status is JobStatus.RUNNING:
        raise NoSuchJobError(f"job {job.job_id} is running; wait until it ends, then retry its rows")
    summary = read_summary(deployment.bucket, job.results)
    ended = None if summary is None else datetime.fromisoformat(summary["timings"]["finished_at"])
    if job.status is JobStatus.STOPPED or ended is None or ended < job.newest.started_at:
        raise NoSuchJobError(
            f"job {job.job_id} was not closed, so some of its rows may be sent and billed; "
            f"finish it first: {deployment.command('resume', job.job_id)}"
        )


def _words(given: str | None) -> list[str]:
    return [word for part in (given or "").split(",") if (word := part.strip())]


def row_numbers(given: str | None) -> list[int]:
    """Return the numbers that `--rows` names. Raises NotRetriableError."""
    numbers: list[int] = []
    for word in _words(given):
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or not int(first):
            raise NotRetriableError(f"--rows: '{word}' must be a row's number or a range, such as 17,201 or 17-20")
        numbers += range(int(first), int(last if dash else first) + 1)
    return numbers
