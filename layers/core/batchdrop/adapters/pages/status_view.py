"""Compute the values of `status.html.j2`."""

from __future__ import annotations

from typing import Any

from batchdrop.job.job_progress import JobProgress
from batchdrop.job.manifest import Manifest
from batchdrop.job.upload import parse_inbox_key


def status_view(manifest: Manifest, progress: JobProgress) -> dict[str, Any]:
    """Return the values of `status.html.j2`."""
    upload = manifest.upload
    done = min(progress.rows_done, progress.rows)
    return {
        "filename": parse_inbox_key(upload.key).filename,
        "job_id": upload.job_id,
        "rows": progress.rows,
        "done": done,
        "percent": 100 * done // progress.rows if progress.rows else 0,
        "at": progress.at,
        "elapsed": max(0.0, (progress.at - upload.uploaded_at).total_seconds()),
        "round": progress.round,
        "shards": progress.shards,
        "fates": [
            ("answered", sum(one.answered for one in progress.collected)),
            ("unusable", sum(one.unusable for one in progress.collected)),
            ("failed or rejected", sum(one.failed for one in progress.collected)),
        ],
        "states": [
            ("waiting", progress.waiting),
            ("answering", len(progress.asked)),
            ("collected", len(progress.collected)),
            ("failed", len(progress.failed_shards)),
        ],
    }
