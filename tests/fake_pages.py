"""Pages in the tests' memory: a drawn chart takes longer than the job that it shows."""

from __future__ import annotations

from batchdrop.job.job_progress import JobProgress
from batchdrop.job.manifest import Manifest
from batchdrop.report.statistics import Statistics
from batchdrop.report.summary import Summary


class FakePages:
    """Pages that only name their kind and their job."""

    def report(self, summary: Summary, manifest: Manifest | None, statistics: Statistics) -> bytes:
        """Return a report."""
        return f"report of {summary.job_id}".encode()

    def status(self, manifest: Manifest, progress: JobProgress) -> bytes:
        """Return the page of a running job."""
        return f"status of {manifest.upload.job_id}".encode()

    def ended(self, summary: Summary) -> bytes:
        """Return the page of a job that ended."""
        return f"end of {summary.job_id}".encode()
