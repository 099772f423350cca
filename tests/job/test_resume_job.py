"""resume_job: a new execution, which asks what has no answer."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from batchdrop.errors import JobExpired
from batchdrop.job.expiry import RESUMABLE
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.limits import LEDGER_KEPT
from tests.fakes import START, FakeJobStarter, FakeLedger
from tests.project import template

LAST = UploadRecord("20261122T120000-0123456789", "bucket", "inbox/r/f.csv", "etag", 12, START)
SENT = Submission(LAST.job_id, 0, 0, 5, "a", START, START)


@pytest.mark.parametrize(("resumes", "name"), [(0, f"{LAST.job_id}-r1"), (1, f"{LAST.job_id}-r2")])
def test_the_next_execution_has_the_next_name(resumes: int, name: str) -> None:
    """Its input is the last one's, but for the count of resumes; the job stays the same."""
    jobs = FakeJobStarter()
    last = msgspec.structs.replace(LAST, resumes=resumes)
    record = resume_job(last, ledger=FakeLedger(), jobs=jobs, now=START)
    assert jobs.started == {name: record}
    assert record == msgspec.structs.replace(last, resumes=resumes + 1)
    assert record.execution_name == name


def test_what_was_sent_stays_and_what_stopped_goes() -> None:
    """Submissions are money; halt and failures are of the execution that ended."""
    ledger = FakeLedger()
    ledger.begin(SENT)
    ledger.halt(LAST.job_id, Halt("AccountTrouble", "HTTP 402", START))
    ledger.fail(LAST.job_id, ShardFailure(0, "AccountTrouble", "HTTP 402"))
    resume_job(LAST, ledger=ledger, jobs=FakeJobStarter(), now=START)
    assert (ledger.halted(LAST.job_id), ledger.shard_failures(LAST.job_id)) == (None, [])
    assert ledger.submissions(LAST.job_id) == [SENT]


def test_the_execution_finds_no_halt() -> None:
    """The halt is lifted before the execution starts, not after: it would obey it."""
    ledger = FakeLedger()
    ledger.halt(LAST.job_id, Halt("JobCanceled", "by its user", START))
    seen: list[Halt | None] = []

    class Watching(FakeJobStarter):
        def start(self, upload: UploadRecord) -> bool:
            seen.append(ledger.halted(upload.job_id))
            return super().start(upload)

    resume_job(LAST, ledger=ledger, jobs=Watching(), now=START)
    assert seen == [None]


def test_the_first_execution_is_named_by_its_job() -> None:
    """A second delivery of the upload's event meets that name."""
    assert LAST.execution_name == LAST.job_id


def test_an_expired_job_is_not_resumed() -> None:
    """Its records may be gone, so a resume would pay for every row again: nothing starts, and the halt stays."""
    ledger, jobs = FakeLedger(), FakeJobStarter()
    ledger.halt(LAST.job_id, Halt("AccountTrouble", "HTTP 402", START))
    with pytest.raises(
        JobExpired, match=rf"{LAST.job_id} cannot be started or resumed since 2026-12-22: .*kept for 30 days"
    ):
        resume_job(LAST, ledger=ledger, jobs=jobs, now=START + RESUMABLE)
    assert jobs.started == {}
    assert ledger.halted(LAST.job_id) is not None
    resume_job(LAST, ledger=ledger, jobs=jobs, now=START + RESUMABLE - timedelta(seconds=1))


def test_a_resumable_jobs_records_are_there() -> None:
    """Neither the ledger's items nor the files below jobs/ expire before."""
    assert RESUMABLE <= LEDGER_KEPT
    assert RESUMABLE.days <= template()["Parameters"]["JobFilesDays"]["MinValue"]
