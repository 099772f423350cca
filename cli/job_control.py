"""Cancel and resume jobs of a deployed application."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from batchdrop.domain.manifest import UploadRecord
from batchdrop.domain.submission import Halt
from batchdrop.errors import JobCanceled
from batchdrop.usecases.await_approval import wake_waiting
from batchdrop.usecases.resume_job import resume_job
from cli.deployment import Deployment


class NoSuchJobError(Exception):
    """The job cannot be canceled or resumed; the message says why."""


def cancel(deployment: Deployment, job_id: str) -> str:
    """Have a running job ask nothing more; return what to tell the user. A second cancel changes nothing."""
    _, status = last_execution(deployment, job_id)
    if status != "RUNNING":
        return f"job {job_id} has ended already ({status.lower()}); there is nothing to cancel"
    halt = deployment.ledger.halted(job_id)
    if halt is not None and halt.error == JobCanceled.__name__:
        wake_waiting(job_id, approvals=deployment.approvals, tokens=deployment.tokens)  # if the first cancel did not
        return f"job {job_id} was canceled at {halt.at:%Y-%m-%d %H:%M:%S} UTC already"
    now = datetime.now(UTC)
    reason = f"the job was canceled by its user at {now:%Y-%m-%d %H:%M:%S} UTC"
    deployment.ledger.halt(job_id, Halt(JobCanceled.__name__, reason, now))
    wake_waiting(job_id, approvals=deployment.approvals, tokens=deployment.tokens)
    return (
        f"job {job_id} is being canceled: its open Message Batches are canceled at their next poll (within 6 minutes), "
        "what they had answered is collected, and the output is written with the rest marked 'canceled'"
    )


def resume(deployment: Deployment, job_id: str) -> str:
    """Go on with a job that ended red; return what to tell the user.

    Raises NoSuchJobError if there is none to go on with.
    """
    record, status = last_execution(deployment, job_id)
    if status == "RUNNING":
        raise NoSuchJobError(f"job {job_id} is running; wait for its end, or cancel it")
    if status == "SUCCEEDED":
        raise NoSuchJobError(f"job {job_id} succeeded; drop its failed.jsonl in again to ask those rows anew")
    resumed = resume_job(record, ledger=deployment.ledger, jobs=deployment.jobs)
    return f"job {job_id} goes on as execution {resumed.execution_name}: only what has no answer is asked"


def last_execution(deployment: Deployment, job_id: str) -> tuple[UploadRecord, str]:
    """Return the input and the status of the job's newest execution. Raises NoSuchJobError."""
    found = _describe(deployment, job_id)
    if found is None:
        raise NoSuchJobError(f"there is no job {job_id}")
    while newer := _describe(
        deployment, msgspec.structs.replace(found[0], resumes=found[0].resumes + 1).execution_name
    ):
        found = newer
    return found


def _describe(deployment: Deployment, name: str) -> tuple[UploadRecord, str] | None:
    executions: Any = deployment.executions
    try:
        found = executions.describe_execution(executionArn=deployment.execution_arn(name))
    except (executions.exceptions.ExecutionDoesNotExist, executions.exceptions.InvalidArn):
        return None
    return msgspec.json.decode(found["input"], type=UploadRecord), found["status"]
