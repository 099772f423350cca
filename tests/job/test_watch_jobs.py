"""watch_jobs and tell_job_state: jobs that do not end are seen, and news that cannot be told holds nothing up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchdrop.job.job_event import job_started
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.tell_job_state import tell_job_state
from batchdrop.job.watch_jobs import OpenJobsSeen, watch_jobs
from tests.event_fakes import FakeJobEvents, FakeOpenJobs
from tests.fakes import START, FakeClock

EVENT = job_started(UploadRecord("job", "bucket", "inbox/r/f.csv", "etag", 12, START), stack="batchdrop", at=START)


def test_no_job_is_no_age() -> None:
    """The metric is 0, so that an alarm ends when the last job has."""
    assert watch_jobs(jobs=FakeOpenJobs(), clock=FakeClock()) == OpenJobsSeen(0, 0.0)


def test_the_oldest_job_counts() -> None:
    """In hours since its execution was started, in whatever order they come."""
    clock = FakeClock()
    clock.advance(10 * 3_600)
    started = (START + timedelta(hours=4), START, START + timedelta(hours=9))
    assert watch_jobs(jobs=FakeOpenJobs(*started), clock=clock) == OpenJobsSeen(3, 10.0)


def test_news_are_told() -> None:
    """As they are, and nothing is said of it."""
    events = FakeJobEvents()
    assert tell_job_state(EVENT, events=events) == ""
    assert events.told == [EVENT]


@pytest.mark.parametrize("refusal", ["AccessDenied", ""])
def test_news_that_nobody_takes_are_no_error(refusal: str) -> None:
    """Why is returned, for the log and the metric."""

    class Deaf(FakeJobEvents):
        def put(self, event: object) -> None:
            from batchdrop.job.ports import EventNotTaken

            raise EventNotTaken(refusal)

    assert tell_job_state(EVENT, events=Deaf()) == (refusal or "EventNotTaken")
