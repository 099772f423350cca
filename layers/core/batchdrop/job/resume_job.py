"""Resume a failed job: a new execution continues from the ledger and the bucket."""

from datetime import datetime

import msgspec

from batchdrop.job.expiry import refuse_if_expired
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import JobStarter, Ledger


def resume_job(last: UploadRecord, *, ledger: Ledger, jobs: JobStarter, now: datetime) -> UploadRecord:
    """Start the execution after `last` and return its record.

    The job's halt and its shards' failures are deleted. Submissions stay, so that no answered row is sent again.
    Raises JobExpired if the submissions may be gone.
    """
    refuse_if_expired(last.job_id, last.uploaded_at, now=now)
    record = msgspec.structs.replace(last, resumes=last.resumes + 1)
    ledger.lift(record.job_id)
    jobs.start(record)
    return record
