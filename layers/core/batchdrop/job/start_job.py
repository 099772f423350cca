"""Start the job of an upload once, even if S3 delivers the event several times."""

from datetime import datetime

from batchdrop.job.expiry import refuse_if_expired
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import JobStarter
from batchdrop.job.upload import Upload, is_in_inbox


def start_job(upload: Upload, *, jobs: JobStarter, now: datetime) -> UploadRecord | None:
    """Start the job of an upload and return its record; None if no job was started.

    No job is started for an object outside the inbox, or for a repeated delivery of the same write. Raises JobExpired
    for an event so old that the names of its executions may be forgotten.
    """
    if not is_in_inbox(upload.key):
        return None
    refuse_if_expired(upload.job_id, upload.uploaded_at, now=now)
    record = UploadRecord(
        job_id=upload.job_id,
        bucket=upload.bucket,
        key=upload.key,
        etag=upload.etag,
        size=upload.size,
        uploaded_at=upload.uploaded_at,
        version=upload.version,
    )
    return record if jobs.start(record) else None
