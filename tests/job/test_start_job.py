"""start_job: an upload starts its job once, and only an upload does."""

from dataclasses import replace

import pytest

from batchdrop.adapters.aws.s3_event import uploads_in
from batchdrop.job.start_job import start_job
from batchdrop.job.upload import Upload
from tests.fakes import START, FakeJobStarter
from tests.project import event

UPLOAD = Upload("bucket", "inbox/r/a b+%é.csv", "etag", 12, START, "0055")


def test_an_upload_starts_its_job() -> None:
    """The record says what was dropped, and the job is named by its id."""
    jobs = FakeJobStarter()
    record = start_job(UPLOAD, jobs=jobs)
    assert record is not None
    assert (record.job_id, record.key, record.etag, record.size) == (UPLOAD.job_id, UPLOAD.key, "etag", 12)
    assert jobs.started == {UPLOAD.job_id: record}


def test_a_second_delivery_starts_nothing() -> None:
    """S3 may say it twice, also with another order of records."""
    jobs = FakeJobStarter()
    start_job(UPLOAD, jobs=jobs)
    assert start_job(UPLOAD, jobs=jobs) is None
    assert len(jobs.started) == 1


def test_the_same_file_dropped_again_is_a_job_of_its_own() -> None:
    """A new write of the same bytes has a new sequencer."""
    jobs = FakeJobStarter()
    start_job(UPLOAD, jobs=jobs)
    assert start_job(replace(UPLOAD, sequencer="0056"), jobs=jobs) is not None
    assert len(jobs.started) == 2


@pytest.mark.parametrize(
    "key", ["results/r/f/job/output.csv", "recipes/r.yaml", "jobs/j/manifest.json", "inbox/r/", "x"]
)
def test_what_is_no_upload_starts_nothing(key: str) -> None:
    """Objects outside the inbox and folder markers are ignored."""
    jobs = FakeJobStarter()
    assert start_job(replace(UPLOAD, key=key), jobs=jobs) is None
    assert jobs.started == {}


def test_the_job_reads_the_version_of_its_event() -> None:
    """S3 names the version of the write; the execution's input carries it."""
    told = event("split_upload")
    told["Records"][0]["s3"]["object"]["versionId"] = "3HL4kqtJlcpXroDTDmJ"
    [upload] = uploads_in(told)
    record = start_job(upload, jobs=FakeJobStarter())
    assert record is not None
    assert record.version == "3HL4kqtJlcpXroDTDmJ"
