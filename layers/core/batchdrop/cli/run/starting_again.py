"""Begin a new execution of a job whose stack was killed. The ledger and the bucket say where it stands."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from batchdrop.cli.deployment import Deployment
from batchdrop.errors import JobCanceled
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.submission import Halt


def start_again(deployment: Deployment, upload: UploadRecord, resumes: int, *, cancels: bool = False) -> UploadRecord:
    """Start the job's execution after `resumes` earlier resumes; return its record.

    It finds each create in the ledger, and sends only what was never sent. With `cancels`, it sends nothing: it cancels
    the open Message Batches, collects their answers, and closes the job.
    """
    last, now = msgspec.structs.replace(upload, resumes=resumes), datetime.now(UTC)
    for sent in deployment.ledger.submissions(upload.job_id):
        # The folder's lock proves that no attempt runs any more. So settling need not wait for its deadline.
        if sent.state == "sent" and sent.over_at > now:
            deployment.ledger.end_attempt(sent, now)
    if not cancels:
        return resume_job(last, ledger=deployment.ledger, jobs=deployment.jobs, now=now)
    reason = f"the job was canceled by its user at {now:%Y-%m-%d %H:%M:%S} UTC"
    deployment.ledger.halt(upload.job_id, Halt(JobCanceled.__name__, reason, now))
    record = msgspec.structs.replace(last, resumes=resumes + 1)
    deployment.jobs.start(record)
    return record
