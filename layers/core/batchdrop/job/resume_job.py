"""Resume a job that ended red: a new execution that finds in ledger and bucket all that the earlier ones did."""

import msgspec

from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import JobStarter, Ledger


def resume_job(last: UploadRecord, *, ledger: Ledger, jobs: JobStarter) -> UploadRecord:
    """Start the execution after `last` and return its record.

    Submissions stay, so that nothing answered is asked again; the halt and the shards' failures go.
    """
    record = msgspec.structs.replace(last, resumes=last.resumes + 1)
    ledger.lift(record.job_id)
    jobs.start(record)
    return record
