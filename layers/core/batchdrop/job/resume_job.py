"""Resume a failed job: a new execution continues from the ledger and the bucket."""

import msgspec

from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import JobStarter, Ledger


def resume_job(last: UploadRecord, *, ledger: Ledger, jobs: JobStarter) -> UploadRecord:
    """Start the execution after `last` and return its record.

    The job's halt and its shards' failures are deleted. Submissions stay, so that no answered row is sent again.
    """
    record = msgspec.structs.replace(last, resumes=last.resumes + 1)
    ledger.lift(record.job_id)
    jobs.start(record)
    return record
