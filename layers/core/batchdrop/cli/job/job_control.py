"""Cancel and resume jobs of a deployed application."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import read_split, read_summary
from batchdrop.cli.job.figures import counted
from batchdrop.cli.job.jobs import Job, JobStatus, NoSuchJobError, find_job
from batchdrop.errors import JobCanceled
from batchdrop.job.await_approval import wake_waiting
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.retry import later_version
from batchdrop.job.submission import Halt

__all__ = ["ControlResult", "NoSuchJobError", "as_text", "cancel", "last_execution", "resume"]


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The result of a command to a job: a message for the user, and fields for programs."""

    job_id: str
    state: str
    message: str
    execution: str = ""


def as_text(result: ControlResult) -> str:
    """Return the message for the user."""
    return result.message


def last_execution(deployment: Deployment, job_id: str) -> tuple[UploadRecord, str]:
    """Return the input and the status of the job's newest execution. Raises NoSuchJobError."""
    job = find_job(deployment, job_id)
    return job.record, job.newest.status


def cancel(deployment: Deployment, job_id: str) -> ControlResult:
    """Stop a running job from sending more. A second cancel changes nothing. Raises NoSuchJobError."""
    job = find_job(deployment, job_id)
    job_id = job.job_id
    if job.status is not JobStatus.RUNNING:
        ended = f"job {job_id} has ended already ({job.status.value}); there is nothing to cancel"
        return ControlResult(job_id, job.status.value, ended)
    halt = deployment.ledger.halted(job_id)
    if halt is not None and halt.error == JobCanceled.__name__:
        wake_waiting(
            job_id, approvals=deployment.approvals, tokens=deployment.tokens
        )  # in case the first cancel did not
        return ControlResult(
            job_id, "canceling", f"job {job_id} was already canceled at {halt.at:%Y-%m-%d %H:%M:%S} UTC"
        )
    now = datetime.now(UTC)
    reason = f"the job was canceled by its user at {now:%Y-%m-%d %H:%M:%S} UTC"
    deployment.ledger.halt(job_id, Halt(JobCanceled.__name__, reason, now))
    wake_waiting(job_id, approvals=deployment.approvals, tokens=deployment.tokens)
    message = (
        f"job {job_id} is being canceled: its open Message Batches are canceled at their next poll (within 6 minutes), "
        "their answers are collected, and the output is written with the other rows marked 'canceled'"
    )
    return ControlResult(job_id, "canceling", message)


def _perhaps_paid(deployment: Deployment, job: Job) -> int:
    """Return the number of the job's rows that may be paid without an answer."""
    summary = read_summary(deployment.bucket, job.results)
    return int(summary.get("perhaps_paid", {}).get("rows", 0)) if summary else 0


def _refuse_without_files(deployment: Deployment, job: Job) -> None:
    """Raise NoSuchJobError if the job's files are removed: it would split its file again and send all rows."""
    summary = read_summary(deployment.bucket, job.results)
    was_split = summary is not None and summary["tally"]["rows"] > 0
    if was_split and read_split(deployment.bucket, job.job_id) is None:
        raise NoSuchJobError(
            f"job {job.job_id} has no files any more: `batchdrop forget` removed them, or they expired. "
            "Drop the file again to send its rows again"
        )


def resume(deployment: Deployment, job_id: str) -> ControlResult:
    """Continue a job that failed, was canceled, or has rows that may be paid.

    Raises NoSuchJobError if it cannot be resumed.
    """
    job = find_job(deployment, job_id)
    job_id = job.job_id
    if job.status is JobStatus.RUNNING:
        raise NoSuchJobError(f"job {job_id} is running; wait until it ends, or cancel it")
    if later := later_version(job_id, deployment.store):
        raise NoSuchJobError(
            f"job {job_id} has a later version, which may have sent its rows: resume or retry {later} instead"
        )
    unsettled = _perhaps_paid(deployment, job)
    if job.status is JobStatus.SUCCEEDED and not unsettled:
        raise NoSuchJobError(f"job {job_id} succeeded; `batchdrop retry {job_id}` sends its failed rows again")
    _refuse_without_files(deployment, job)
    resumed = resume_job(job.record, ledger=deployment.ledger, jobs=deployment.jobs, now=datetime.now(UTC))
    message = f"job {job_id} continues as execution {resumed.execution_name}: only rows without an answer are sent"
    if unsettled:
        message += f". {counted(unsettled, 'row')} may be paid: the API's results are read again for them"
    return ControlResult(job_id, "running", message, resumed.execution_name)
