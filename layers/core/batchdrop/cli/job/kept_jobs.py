"""Find a job whose first execution is forgotten: by its later executions, or by its files in the bucket.

The executions of a `batchdrop up` or `run` end with it, and Step Functions forgets an execution after 90 days. The
bucket still has the job.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import Summary, read_split, read_summary
from batchdrop.cli.job.jobs import Execution, Job, described_job, executions
from batchdrop.errors import JobCanceled
from batchdrop.job.upload import results_prefix

JOBS = "jobs/"
FORGOTTEN = {"succeeded": "SUCCEEDED", "failed": "FAILED", "canceled": "FAILED"}  # by the summary's status


def forgotten_job(deployment: Deployment, job_id: str) -> Job | None:
    """Return a job without its first execution; None if the deployment has no such job.

    A job without any execution and without a summary was not closed: its state is `stopped`.
    """
    later = [one for one in executions(deployment) if one.job_id == job_id]
    if later:
        return described_job(deployment, min(later, key=lambda one: one.started_at).name)
    return _kept_job(deployment, job_id)


def kept_jobs(deployment: Deployment) -> Iterator[Job]:
    """Yield the jobs in the bucket without any execution, the newest first."""
    kept = kept_job_ids(deployment)  # before the executions, so that a job which starts meanwhile has one
    known = {one.job_id for one in executions(deployment)}
    for job_id in kept:
        job = None if job_id in known else _kept_job(deployment, job_id)
        if job is not None:
            yield job


def _kept_job(deployment: Deployment, job_id: str) -> Job | None:
    split = read_split(deployment.bucket, job_id)
    if split is None:
        return None
    record = split.upload
    summary = read_summary(deployment.bucket, results_prefix(record.key, job_id)) or {}
    status = FORGOTTEN.get(summary.get("status", ""), "ABORTED")
    ended = datetime.fromisoformat(summary["timings"]["finished_at"]) if summary else None
    execution = Execution(record.execution_name, "", status, record.uploaded_at, ended)
    error, cause = _fault(summary)
    return Job(record, [execution], error, cause)


def kept_job_ids(deployment: Deployment) -> list[str]:
    """Return the ids of all jobs in the bucket, the newest first."""
    folders = (one.key.removeprefix(JOBS).rstrip("/") for one in deployment.bucket.listed(JOBS))
    return sorted((folder for folder in folders if folder[:1].isdecimal()), reverse=True)  # not prompt-cache/


def _fault(summary: Summary) -> tuple[str, str]:
    if summary.get("status") == "canceled":
        return JobCanceled.__name__, "the job was canceled"
    faults = summary.get("faults") or []
    return (faults[0]["type"], faults[0]["message"]) if faults else ("", "")
