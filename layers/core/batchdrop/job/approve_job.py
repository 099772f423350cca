"""Approve a job's sample, so that the other rows are sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from batchdrop.job.await_approval import wake_waiting
from batchdrop.job.ports import Approvals, TaskTokens


@dataclass(frozen=True, slots=True)
class Approved:
    """The time of the first approval. `is_heard`: a waiting task was woken now."""

    at: datetime
    is_heard: bool


def approve_job(job_id: str, now: datetime, *, approvals: Approvals, tokens: TaskTokens) -> Approved:
    """Write the approval, which holds for all executions of the job, then wake the waiting tasks.

    Safe to repeat: if a call is cut off between the two, the next call wakes the tasks.
    """
    at = approvals.approve(job_id, now)
    return Approved(at, wake_waiting(job_id, approvals=approvals, tokens=tokens) > 0)
