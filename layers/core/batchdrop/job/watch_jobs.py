"""Count the open jobs, and find the age of the oldest one."""

from __future__ import annotations

from dataclasses import dataclass

from batchdrop.job.ports import OpenJobs
from batchdrop.ports import Clock


@dataclass(frozen=True, slots=True)
class OpenJobsSeen:
    """The number of open jobs, and the hours since the first of them started; 0 for none."""

    count: int
    oldest_hours: float


def watch_jobs(*, jobs: OpenJobs, clock: Clock) -> OpenJobsSeen:
    """Count the open jobs. A resumed job is as old as its last execution."""
    now = clock.now()
    ages = [(now - started).total_seconds() / 3_600 for started in jobs.started_at()]
    return OpenJobsSeen(len(ages), max(ages, default=0.0))
