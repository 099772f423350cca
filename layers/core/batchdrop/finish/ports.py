"""The pages for people, as Protocols."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from batchdrop.job.job_progress import JobProgress
from batchdrop.job.manifest import Manifest
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary


class PageDrawer(Protocol):
    """Somebody else who draws the pages of running jobs."""

    def request(self, job_id: str, at: datetime) -> None:
        """Have a job's page drawn soon, or not at all; at that time the job was running."""


class Pages(Protocol):
    """The pages for people, as self-contained HTML: no script, nothing from the network."""

    def report(self, summary: Summary, manifest: Manifest | None, statistics: Statistics) -> bytes:
        """Return the report of a job that ended."""

    def status(self, manifest: Manifest, progress: JobProgress) -> bytes:
        """Return the page of a running job."""

    def ended(self, summary: Summary) -> bytes:
        """Return the page that stands where the running job's stood: it leads to the report."""
