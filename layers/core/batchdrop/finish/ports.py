"""The HTML pages of jobs, as Protocols."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from batchdrop.job.job_progress import JobProgress
from batchdrop.job.manifest import Manifest
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary


class PageDrawer(Protocol):
    """Requests pages of running jobs from another function."""

    def request(self, job_id: str, at: datetime) -> None:
        """Request the page of a job that was running `at` this time. It is drawn soon, or not at all."""


class Pages(Protocol):
    """Draws pages as self-contained HTML: no script, nothing from the network."""

    def report(self, summary: Summary, manifest: Manifest | None, statistics: Statistics) -> bytes:
        """Return the report of a job that ended."""

    def status(self, manifest: Manifest, progress: JobProgress) -> bytes:
        """Return the page of a running job."""

    def ended(self, summary: Summary) -> bytes:
        """Return the page that replaces the running job's page: it links to the report."""
