"""start_job: an upload starts its job once, and only an upload does."""

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.adapters.aws.s3_event import uploads_in
from batchdrop.errors import JobExpired
from batchdrop.job.expiry import RESUMABLE
from batchdrop.job.start_job import start_job
from batchdrop.job.upload import Upload
from tests.fakes import START, FakeJobStarter
from tests.project import event

UPLOAD = Upload("bucket", "inbox/r/a b+%é.csv", "etag", 12, START, "0055")


def test_an_upload_starts_its_job() -> None:
    """The record says what was dropped, and the job is named by its id."""
    jobs = FakeJobStarter()
    record = start_job(UPLOAD, jobs=jobs, now=START)
    assert record is not None
    assert (record.job_id, record.key, record.etag, record.size) == (UPLOAD.job_id, UPLOAD.key, "etag", 12)
    assert jobs.started == {UPLOAD.job_id: record}


def test_a_second_delivery_starts_nothing() -> None:
    """S3 may say it twice, also with another order of records."""
    jobs = FakeJobStarter()
    start_job(UPLOAD, jobs=jobs, now=START)
    assert start_job(UPLOAD, jobs=jobs, now=START) is None
    assert len(jobs.started) == 1


def test_the_same_file_dropped_again_is_a_job_of_its_own() -> None:
    """A new write of the same bytes has a new sequencer."""
    jobs = FakeJobStarter()
    start_job(UPLOAD, jobs=jobs, now=START)
    assert start_job(replace(UPLOAD, sequencer="0056"), jobs=jobs, now=START) is not None
    assert len(jobs.started) == 2


@pytest.mark.parametrize(("late", "is_refused"), [(timedelta(seconds=-1), False), (timedelta(), True)])
def test_an_old_event_is_refused(late: timedelta, *, is_refused: bool) -> None:
    """The records of its first job may have expired, so the user is told to drop the file again."""
    jobs = FakeJobStarter()
    with pytest.raises(JobExpired, match="Nothing was sent") if is_refused else nullcontext():
        start_job(UPLOAD, jobs=jobs, now=START + RESUMABLE + late)
    assert len(jobs.started) == 1 - is_refused


@pytest.mark.parametrize(
    "key", ["results/r/f/job/output.csv", "recipes/r.yaml", "jobs/j/manifest.json", "inbox/r/", "x"]
)
def test_what_is_no_upload_starts_nothing(key: str) -> None:
    """Objects outside the inbox and folder markers are ignored."""
    jobs = FakeJobStarter()
    assert start_job(replace(UPLOAD, key=key), jobs=jobs, now=START) is None
    assert jobs.started == {}


def test_the_job_reads_the_version_of_its_event() -> None:
    """S3 names the version of the write; the execution's input carries it."""
    told = event("split_upload")
    told["Records"][0]["s3"]["object"]["versionId"] = "3HL4kqtJlcpXroDTDmJ"
    [upload] = uploads_in(told)
    record = start_job(upload, jobs=FakeJobStarter(), now=upload.uploaded_at)
    assert record is not None
    assert record.version == "3HL4kqtJlcpXroDTDmJ"


@given(
    st.integers(0, 2), st.sampled_from(["eventTime", "s3", "bucket", "object"]), st.sampled_from([None, 7, "x", [], {}])
)
def test_an_odd_record_of_an_event_costs_no_other_upload(place: int, field: str, value: object) -> None:
    """The others are read. Then the event fails, so that somebody sees it."""
    told = event("split_upload")
    [known] = told["Records"]
    records = [deepcopy(known) for _ in range(3)]
    for number, record in enumerate(records):
        record["s3"]["object"]["sequencer"] = f"{number}"
    holder = records[place] if field in records[place] else records[place]["s3"]
    holder[field] = value
    seen: list[str] = []
    with pytest.raises(msgspec.ValidationError):
        seen.extend(upload.sequencer for upload in uploads_in({"Records": records}))
    assert seen == [f"{number}" for number in range(3) if number != place]
