"""Approve a job's sample: the rest may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from batchdrop.job.await_approval import wake_waiting
from batchdrop.job.ports import Approvals, TaskTokens


@dataclass(frozen=True, slots=True)
class Approved:
    """When the rest was first approved, and whether a task that waited for it has heard now."""

    at: datetime
    is_heard: bool


def approve_job(job_id: str, now: datetime, *, approvals: Approvals, tokens: TaskTokens) -> Approved:
    """Write the approval, which holds for all executions of the job, then wake who waits for it.

    Safe to repeat: an attempt that was cut off between the two is made good by the next.
    """
    at = approvals.approve(job_id, now)
    return Approved(at, wake_waiting(job_id, approvals=approvals, tokens=tokens) > 0)
