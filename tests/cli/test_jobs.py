"""Jobs found by their executions: by id, by a part of it, and what is said when there is none."""

import re
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from batchdrop.cli.job.jobs import (
    JobStatus,
    NoSuchJobError,
    executions,
    find_job,
    job_id_of,
    newest_executions,
)
from batchdrop.job.upload import results_prefix
from tests.cli.deployed import MACHINE, Deployed, upload_of
from tests.fakes import START

JOBS = ["20261122T120000-aaaaaaaaaa", "20261122T130000-bbbbbbbbbb", "20261123T130000-cccccccccc"]


@pytest.fixture
def three(deployed: Deployed) -> Deployed:
    """Three jobs; the second one was resumed twice."""
    for job_id in JOBS:
        deployed.start(upload_of(job_id), "FAILED", error="JobFailed", cause="no")
    deployed.start(upload_of(JOBS[1], resumes=1), "FAILED", error="JobCanceled", cause="by its user")
    deployed.start(upload_of(JOBS[1], resumes=2), "SUCCEEDED")
    return deployed


@pytest.mark.parametrize("wanted", [JOBS[1], f"{JOBS[1]}-r1", "20261122T13", "bbb"])
def test_found_by_as_much_as_is_unique(three: Deployed, wanted: str) -> None:
    """The id, an execution's name, a beginning, or that of its last part; the newest execution tells its state."""
    job = find_job(three.found(), wanted)
    assert (job.job_id, job.status, job.record.resumes) == (JOBS[1], JobStatus.SUCCEEDED, 2)
    assert [one.name for one in job.executions] == [JOBS[1], f"{JOBS[1]}-r1", f"{JOBS[1]}-r2"]


def test_the_newest_without_an_id(three: Deployed) -> None:
    """The one that began last; a resume counts."""
    assert find_job(three.found(), "").job_id == JOBS[1]


def test_no_newest_without_a_job(deployed: Deployed) -> None:
    """The message says how to start one."""
    with pytest.raises(NoSuchJobError, match=r"has no job; `batchdrop drop\b.*` starts one"):
        find_job(deployed.found(), "")


def test_error_of_the_newest_execution(three: Deployed) -> None:
    """Canceled is told by the error's name."""
    assert find_job(three.found(), JOBS[0]).cause == "no"
    assert find_job(three.found(), JOBS[0]).status is JobStatus.FAILED
    three.start(upload_of(JOBS[0], resumes=1), "FAILED", error="JobCanceled")
    assert find_job(three.found(), JOBS[0]).status is JobStatus.CANCELED


def test_too_short(three: Deployed) -> None:
    """What may be several jobs is none."""
    with pytest.raises(NoSuchJobError, match=f"may be .*{JOBS[1]}.*; write more of the id"):
        find_job(three.found(), "20261122")


@pytest.mark.parametrize("wanted", ["20261122T120000-aaaaaaaaax", "20261122T120001-aaaaaaaaaa"])
def test_the_nearest_are_named(three: Deployed, wanted: str) -> None:
    """A slip of a key is answered by what was meant."""
    with pytest.raises(NoSuchJobError, match=rf"job {wanted} does not exist in .*; did you mean {JOBS[0]}"):
        find_job(three.found(), wanted)


def test_nothing_near(three: Deployed) -> None:
    """The newest are named."""
    with pytest.raises(NoSuchJobError, match=re.escape("the newest are") + ".*" + JOBS[2]):
        find_job(three.found(), "xyz")


def test_no_jobs_at_all(deployed: Deployed) -> None:
    """The message says how to start one."""
    with pytest.raises(NoSuchJobError, match=r"which has no jobs yet; `batchdrop drop"):
        find_job(deployed.found(), "x")


def test_each_job_once(three: Deployed) -> None:
    """By its newest execution; children of a Map are no jobs."""
    found = [one.name for one in newest_executions(three.found())]
    assert found[0] == f"{JOBS[1]}-r2"
    assert sorted(found[1:]) == [JOBS[0], JOBS[2]]
    assert len(list(executions(three.found()))) == 5


class Pages:
    """Step Functions with so many executions: each page tells where the next one begins."""

    def __init__(self, count: int, *, page: int) -> None:
        self.calls: list[dict[str, Any]] = []
        self._names = [f"n{number}" for number in range(count)]
        self._page = page

    def list_executions(self, **asked: Any) -> dict[str, Any]:
        """One page."""
        self.calls.append(asked)
        start = int(asked.get("nextToken", 0))
        names = self._names[start : start + self._page]
        listed = [{"name": name, "executionArn": name, "status": "RUNNING", "startDate": START} for name in names]
        more = {"nextToken": str(start + self._page)} if start + self._page < len(self._names) else {}
        return {"executions": [*listed, {"name": "shard", "mapRunArn": "run"}], **more}


def test_all_pages_and_no_more_than_needed() -> None:
    """Thousands of executions are read a thousand a call, and only as far as somebody looks."""
    pages = Pages(2_500, page=1_000)
    deployment: Any = SimpleNamespace(executions=pages, state_machine_arn=MACHINE)
    assert len({one.name for one in executions(deployment)}) == 2_500
    assert [call["maxResults"] for call in pages.calls] == [1_000] * 3
    pages.calls.clear()
    assert len(list(islice(newest_executions(deployment), 20))) == 20
    assert len(pages.calls) == 1


def test_ids_and_places() -> None:
    """A resume's suffix is not part of the id; a key without a folder has its results elsewhere."""
    assert job_id_of(f"{JOBS[0]}-r12") == JOBS[0]
    assert job_id_of("by-hand") == "by-hand"
    assert results_prefix("inbox/r/f.csv", "j") == "results/r/f/j/"
    assert results_prefix("inbox/../f.csv", "j") == "results/_unnamed/j/"
