"""The list of jobs, with the progress of those that run, and the stack's alarms."""

from __future__ import annotations

from datetime import datetime

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from batchdrop.cli.bucket import concurrently
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.doctor.findings import Finding, Level
from batchdrop.cli.doctor.services import alarms
from batchdrop.cli.job.job_view import Stage
from batchdrop.cli.job.jobs import JobStatus, NoSuchJobError, find_job
from batchdrop.cli.job.listing import ListedJob, listed_jobs
from batchdrop.cli.job.pace import Pace, job_pace
from batchdrop.cli.ui.jobs.feed import Feed

MOST_JOBS = 50
MOST_RUNNING = 12  # whose progress is read


class Progress(msgspec.Struct, frozen=True):
    """How far a running job is."""

    stage: Stage
    pace: Pace


class Overview(msgspec.Struct, frozen=True):
    """The newest jobs, the progress of running ones by id, and what is wrong with the stack. `has_more`: older jobs."""

    jobs: list[ListedJob]
    progress: dict[str, Progress]
    alarms: list[Finding]
    has_more: bool

    @property
    def is_running(self) -> bool:
        """Return whether a job runs, so that the list changes by itself."""
        return any(job.status is JobStatus.RUNNING for job in self.jobs)


def overview(deployment: Deployment, feed: Feed, *, status: JobStatus | None, limit: int, now: datetime) -> Overview:
    """Read the newest jobs with a status."""
    found = listed_jobs(deployment, limit=limit + 1, status=status, now=now)
    shown = found[:limit]
    running = [job.job_id for job in shown if job.status is JobStatus.RUNNING][:MOST_RUNNING]
    looked = concurrently(lambda job_id: _progress(deployment, feed, job_id), running)
    progress = {job_id: one for job_id, one in zip(running, looked, strict=True) if one is not None}
    return Overview(shown, progress, _alarms(deployment), len(found) > limit)


def _progress(deployment: Deployment, feed: Feed, job_id: str) -> Progress | None:
    try:
        view = feed.view(deployment, find_job(deployment, job_id))
    except NoSuchJobError:  # it was forgotten meanwhile
        return None
    return Progress(view.stage, job_pace(view))


def _alarms(deployment: Deployment) -> list[Finding]:
    """Return the alarms that are on. On this machine there are none."""
    if deployment.is_embedded:
        return []
    try:
        return [one for one in alarms(deployment) if one.level is Level.PROBLEM]
    except (BotoCoreError, ClientError):  # these credentials may not read alarms; `doctor` says so
        return []
