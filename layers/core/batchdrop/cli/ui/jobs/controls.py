"""A job's controls: each calls the function of its command."""

from __future__ import annotations

import msgspec

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import Summary, has_too_few
from batchdrop.cli.job.job_control import cancel, resume
from batchdrop.cli.job.job_view import Stage
from batchdrop.cli.job.jobs import Job, JobStatus
from batchdrop.cli.job.retrying import retry, row_numbers
from batchdrop.cli.run.approval import approve
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.job.retry import later_version

PAID = ("answered", "remembered")
NEVER_AGAIN = frozenset({*PAID, "unreadable", "uncertain"})  # a retry sends no row that is, or may be, paid


class Choices(msgspec.Struct, frozen=True):
    """The controls that a job has now. `retries` has the rows that a retry may send, by status."""

    approves: bool = False
    cancels: bool = False
    resumes: bool = False
    retries: dict[str, int] = {}
    later: str = ""
    """A later version of the job; it alone can be continued."""


def choices_of(deployment: Deployment, job: Job, stage: Stage | None, summary: Summary | None) -> Choices:
    """Return what can be done with a job. `stage` is None for a job that has ended."""
    if job.status is JobStatus.RUNNING:
        is_canceled = deployment.ledger.halted(job.job_id) is not None
        return Choices(approves=stage is Stage.UNAPPROVED, cancels=not is_canceled)
    if later := later_version(job.job_id, deployment.store):
        return Choices(later=later)
    is_unsettled = summary is not None and bool(summary.get("perhaps_paid", {}).get("rows"))
    is_red = job.status is not JobStatus.SUCCEEDED and not has_too_few(summary)
    statuses: dict[str, int] = summary["tally"]["statuses"] if summary else {}
    closed = summary is not None and job.status is not JobStatus.STOPPED
    retries = {name: rows for name, rows in statuses.items() if rows and name not in NEVER_AGAIN} if closed else {}
    return Choices(resumes=is_red or is_unsettled, retries=retries)


def approved(deployment: Deployment, job_id: str) -> str:
    """Approve a job's sample; return the job's id."""
    return approve(deployment, job_id).job


def canceled(deployment: Deployment, job_id: str) -> str:
    """Stop a job from sending more; return its id."""
    return cancel(deployment, job_id).job_id


def resumed(deployment: Deployment, job_id: str) -> str:
    """Continue a job; return its id."""
    return resume(deployment, job_id).job_id


def retried(deployment: Deployment, job_id: str, *, statuses: list[str], rows: str) -> str:
    """Send rows again: those of these statuses, or those of these numbers. Return the id of the version that does."""
    numbers = frozenset(row_numbers(rows))
    wanted = Wanted(statuses=frozenset() if numbers else frozenset(statuses), rows=numbers)
    return retry(deployment, job_id, wanted).job_id
