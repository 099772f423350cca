"""`batchdrop ls`: the newest jobs, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchdrop.cli.bucket import concurrently
from batchdrop.cli.console import USAGE_ERROR, CommandError
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import Summary, read_split, read_summary
from batchdrop.cli.job.figures import UNKNOWN, dollars, duration, moment
from batchdrop.cli.job.jobs import Execution, JobStatus, job_status, newest_executions
from batchdrop.cli.job.kept_jobs import kept_jobs
from batchdrop.cli.safe_console import SafeConsole
from batchdrop.errors import UploadRejected
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.upload import parse_inbox_key, results_prefix

AT_ONCE = 32  # jobs to read concurrently
_UPLOAD = msgspec.json.Decoder(UploadRecord)  # made before the threads, which crash if two are the first to need it
FEW, MANY, WIDE = 90, 130, 138  # columns of a terminal

_STYLES = {
    JobStatus.RUNNING: "yellow",
    JobStatus.SUCCEEDED: "green",
    JobStatus.FAILED: "red",
    JobStatus.CANCELED: "magenta",
    JobStatus.STOPPED: "red",
}


class ListedJob(msgspec.Struct, frozen=True):
    """A job as `ls` shows it; unknown values are None. `seconds` counts from the upload."""

    job_id: str
    status: JobStatus
    file: str
    recipe: str
    rows: int | None
    answered: int | None
    unusable: int | None
    failed: int | None
    rejected: int | None
    started_at: datetime
    seconds: float | None
    usd: Decimal | None
    resumes: int


def wanted_status(word: str | None) -> JobStatus | None:
    """Return the status with this name. Raises StatusUnknownError."""
    if word is None:
        return None
    try:
        return JobStatus(word)
    except ValueError:
        known = [status.value for status in JobStatus]
        raise StatusUnknownError(f"--status must be one of {', '.join(known)}, not '{word}'") from None


class StatusUnknownError(CommandError):
    """The status does not exist."""

    exit_code = USAGE_ERROR


def listed_jobs(deployment: Deployment, *, limit: int, status: JobStatus | None, now: datetime) -> list[ListedJob]:
    """Return the newest jobs with that status, newest first."""
    found: list[ListedJob] = []
    candidates = _candidates(deployment, status)
    while len(found) < limit:
        batch = list(islice(candidates, AT_ONCE if status else min(AT_ONCE, limit - len(found))))
        if not batch:
            break
        looked_at = concurrently(lambda one: _listed(deployment, one, now), batch)
        found += [job for job in looked_at if status in {None, job.status}]
    return found[:limit]


def _candidates(deployment: Deployment, status: JobStatus | None) -> Iterator[Execution]:
    """Yield the newest execution of jobs that may have the status; only the summary tells canceled from failed.

    After those that Step Functions knows come those that only the bucket has.
    """
    if status is JobStatus.RUNNING:  # a running execution is its job's newest
        yield from newest_executions(deployment, status="RUNNING")
        return
    may_be = {JobStatus.FAILED} if status is JobStatus.CANCELED else {status}
    for one in chain(newest_executions(deployment), (job.executions[0] for job in kept_jobs(deployment))):
        if status is None or job_status(one.status) in may_be:
            yield one


def _listed(deployment: Deployment, newest: Execution, now: datetime) -> ListedJob:
    split = read_split(deployment.bucket, newest.job_id)
    upload = split.upload if split else _upload_of(deployment, newest)
    status = job_status(newest.status)
    summary = (
        None
        if status is JobStatus.RUNNING
        else read_summary(deployment.bucket, results_prefix(upload.key, newest.job_id))
    )
    ended_at = newest.stopped_at or now
    tally, cost = (summary["tally"], summary["cost"]) if summary else ({}, {})
    return ListedJob(
        job_id=newest.job_id,
        status=_status(status, summary),
        file=_names(upload.key)[1],
        recipe=_names(upload.key)[0],
        rows=tally.get("rows") or (split.rows if split else None),
        answered=tally.get("answered"),
        unusable=tally.get("unusable"),
        failed=tally.get("failed"),
        rejected=tally.get("rejected"),
        started_at=upload.uploaded_at,
        seconds=(ended_at - upload.uploaded_at).total_seconds(),
        usd=cost.get("usd"),
        resumes=_resumes(newest),
    )


def _upload_of(deployment: Deployment, one: Execution) -> UploadRecord:
    described = deployment.executions.describe_execution(executionArn=one.arn)
    return _UPLOAD.decode(described["input"])


def _status(status: JobStatus, summary: Summary | None) -> JobStatus:
    is_canceled = status is JobStatus.FAILED and summary is not None and summary["status"] == "canceled"
    return JobStatus.CANCELED if is_canceled else status


def _names(key: str) -> tuple[str, str]:
    try:
        inbox = parse_inbox_key(key)
    except UploadRejected:
        return "", key
    return inbox.recipe, inbox.filename


def _resumes(newest: Execution) -> int:
    resumes = newest.name.removeprefix(newest.job_id).removeprefix("-r")
    return int(resumes) if resumes.isdigit() else 0


def show_listed(jobs: list[ListedJob], console: Console) -> None:
    """Print the jobs as a table that fits the terminal; in a pipe, nothing is cut."""
    width = console.width if console.is_terminal else MANY * 8
    table = Table(box=None, header_style="bold", padding=(0, 1), pad_edge=False)
    for column in _columns(width):
        is_figure = column in {"rows", "answered", "unusable", "failed", "cost", "took"}
        cut = column in {"file", "recipe"} and console.is_terminal
        table.add_column(
            column, no_wrap=True, justify="right" if is_figure else "left", overflow="ellipsis" if cut else "fold"
        )
    for job in jobs:
        cells = _cells(job)
        table.add_row(*(cells[column] for column in _columns(width)))
    to = console if console.is_terminal else SafeConsole(file=console.file, width=width)
    to.print(table)


def _columns(width: int) -> tuple[str, ...]:
    if width < FEW:
        return ("job", "status", "file", "rows")
    if width < MANY:
        return ("job", "status", "file", "rows", "took", "cost")
    if width < WIDE:
        return ("job", "status", "file", "recipe", "rows", "started", "took", "cost")
    return ("job", "status", "file", "recipe", "rows", "answered", "unusable", "failed", "started", "took", "cost")


def _fate(rows: int | None) -> Text:
    return Text(UNKNOWN if rows is None else f"{rows:,}")


def _cells(job: ListedJob) -> dict[str, Text]:
    again = f" (resumed {job.resumes}×)" if job.resumes else ""
    return {
        "job": Text(job.job_id),
        "status": Text(job.status.value + again, style=_STYLES[job.status]),
        "file": Text(job.file),
        "recipe": Text(job.recipe or UNKNOWN),
        "rows": Text(UNKNOWN if job.rows is None else f"{job.rows:,}"),
        "answered": _fate(job.answered),
        "unusable": _fate(job.unusable),
        "failed": _fate(job.failed),
        "started": Text(moment(job.started_at)),
        "took": Text(duration(job.seconds)),
        "cost": Text(UNKNOWN if job.usd is None else dollars(job.usd)),
    }
