"""What every JobStarter promises: the fake and Step Functions alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from batchdrop.adapters.aws.stepfunctions import StepFunctionsJobStarter
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import JobStarter
from tests.aws import client
from tests.fakes import START, FakeJobStarter

UPLOAD = UploadRecord("20261122T120000-0123456789", "bucket", "inbox/r/ä b+.csv", "etag", 12, START)
ROLE = "arn:aws:iam::123456789012:role/job"


@dataclass
class Jobs:
    """A starter, and what it started: execution names with their inputs."""

    starter: JobStarter
    started: Callable[[], dict[str, Any]]


def _fake() -> Jobs:
    fake = FakeJobStarter()
    return Jobs(fake, lambda: {name: msgspec.to_builtins(upload) for name, upload in fake.started.items()})


def _step_functions() -> Jobs:
    states = client("stepfunctions")
    machine = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    arn = states.create_state_machine(name="job", definition=machine, roleArn=ROLE)["stateMachineArn"]

    def started() -> dict[str, Any]:
        executions = states.list_executions(stateMachineArn=arn)["executions"]
        return {
            one["name"]: json.loads(states.describe_execution(executionArn=one["executionArn"])["input"])
            for one in executions
        }

    return Jobs(StepFunctionsJobStarter(states, arn), started)


@pytest.fixture(params=["fake", "stepfunctions"])
def jobs(request: pytest.FixtureRequest) -> Iterator[Jobs]:
    """The fake, then Step Functions as moto serves it."""
    if request.param == "fake":
        yield _fake()
        return
    with mock_aws():
        yield _step_functions()


def test_an_upload_starts_an_execution_of_its_own_name(jobs: Jobs) -> None:
    """The execution is named by the job, and its input is the upload's record."""
    assert jobs.starter.start(UPLOAD)
    assert jobs.started() == {UPLOAD.job_id: msgspec.to_builtins(UPLOAD)}


def test_a_second_delivery_starts_nothing(jobs: Jobs) -> None:
    """There is one execution, however often the upload is told of."""
    for _ in range(3):
        jobs.starter.start(UPLOAD)
    assert list(jobs.started()) == [UPLOAD.job_id]


def test_a_name_in_use_is_told(jobs: Jobs) -> None:
    """False says that the job was started before."""
    jobs.starter.start(UPLOAD)
    assert jobs.starter.start(replace_size(UPLOAD)) is False


def test_other_jobs_are_started(jobs: Jobs) -> None:
    """Another job id is another execution."""
    other = msgspec.structs.replace(UPLOAD, job_id="20261122T120000-9876543210")
    assert jobs.starter.start(UPLOAD)
    assert jobs.starter.start(other)
    assert sorted(jobs.started()) == sorted([UPLOAD.job_id, other.job_id])


def test_a_resumed_job_is_an_execution_of_its_own(jobs: Jobs) -> None:
    """The same job again, under the next name; resumed twice under one name, it is started once."""
    resumed = msgspec.structs.replace(UPLOAD, resumes=1)
    assert jobs.starter.start(UPLOAD)
    assert jobs.starter.start(resumed)
    assert jobs.starter.start(replace_size(resumed)) is False
    assert sorted(jobs.started()) == [UPLOAD.job_id, f"{UPLOAD.job_id}-r1"]


def replace_size(upload: UploadRecord) -> UploadRecord:
    """Return the same job with another input, which is how Step Functions tells a name in use from a repetition."""
    return msgspec.structs.replace(upload, size=upload.size + 1)
