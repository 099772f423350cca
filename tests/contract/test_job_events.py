"""What JobEvents and OpenJobs promise: the fake and AWS alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from batchdrop.adapters.aws.eventbridge import TRIES, EventBridgeJobEvents
from batchdrop.adapters.aws.stepfunctions import StepFunctionsOpenJobs
from batchdrop.job.job_event import JobEvent, encoded, job_split
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import EventNotTaken, JobEvents, OpenJobs
from tests.aws import client
from tests.event_fakes import FakeJobEvents, FakeOpenJobs
from tests.fakes import START

UPLOAD = UploadRecord("20261122T120000-0123456789", "bucket", "inbox/r/ä b.csv", "etag", 12, START)
EVENT = job_split(UPLOAD, stack="batchdrop", at=START, requests=3, shards=2)
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:batchdrop-job"


@dataclass
class Bus:
    """Where events go, and the details that arrived."""

    events: JobEvents
    told: Callable[[], list[dict[str, Any]]]


def _fake() -> Bus:
    fake = FakeJobEvents()
    return Bus(fake, lambda: [json.loads(encoded(event)) for event in fake.told])


def _eventbridge() -> Bus:
    """A rule like a consumer's puts what it gets into a queue."""
    events, sqs = client("events"), client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["batchdrop"], "detail-type": ["Job state changed"], "detail": {"stack": ["batchdrop"]}}
    events.put_rule(Name="consumer", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="consumer", Targets=[{"Id": "queue", "Arn": arn}])

    def told() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["detail"] for message in messages]

    return Bus(EventBridgeJobEvents(events), told)


@pytest.fixture(params=[_fake, _eventbridge], ids=["fake", "eventbridge"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """The fake, then EventBridge as moto serves it."""
    with mock_aws():
        yield request.param()


def test_an_event_arrives_as_it_is(bus: Bus) -> None:
    """At whoever asked for the source and the detail-type that docs/events.md names."""
    bus.events.put(EVENT)
    assert bus.told() == [json.loads(encoded(EVENT))]


def _put(*answers: dict[str, Any] | str) -> None:
    events = client("events")
    with Stubber(events) as stub:
        for answer in answers:
            if isinstance(answer, str):
                stub.add_client_error("put_events", answer)
            else:
                stub.add_response("put_events", answer, {"Entries": ANY})
        try:
            EventBridgeJobEvents(events).put(EVENT)
        finally:
            stub.assert_no_pending_responses()


REFUSED = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalException", "ErrorMessage": "later"}]}
TAKEN = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


def test_an_entry_that_was_not_taken_is_put_again() -> None:
    """PutEvents answers 200 for it."""
    _put(REFUSED, TAKEN)


def test_an_entry_that_is_never_taken_is_told() -> None:
    """After some tries, with what EventBridge said."""
    with pytest.raises(EventNotTaken, match="InternalException: later"):
        _put(*[REFUSED] * TRIES)


def test_a_call_that_fails_is_told() -> None:
    """The SDK has tried by then."""
    with pytest.raises(EventNotTaken, match="AccessDenied"):
        _put("AccessDeniedException")


def test_eventbridge_out_of_reach_is_told() -> None:
    """As any other way not to be heard."""

    class Gone:
        def put_events(self, **_entries: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://events.test")

    with pytest.raises(EventNotTaken, match=r"events\.test"):
        EventBridgeJobEvents(Gone()).put(EVENT)


def test_the_fake_can_refuse() -> None:
    """As the adapter does."""
    with pytest.raises(EventNotTaken, match="no"):
        FakeJobEvents("no").put(EVENT)


def _step_functions(*started: datetime) -> tuple[OpenJobs, Stubber]:
    states = client("stepfunctions")
    stub = Stubber(states)
    one = {"executionArn": "a", "stateMachineArn": MACHINE, "name": "n", "status": "RUNNING"}
    asked = {"stateMachineArn": MACHINE, "statusFilter": "RUNNING"}
    for number, at in enumerate(started):
        token = {"nextToken": f"page{number + 1}"} if number < len(started) - 1 else {}
        given = {**asked, **({"nextToken": f"page{number}"} if number else {})}
        stub.add_response("list_executions", {"executions": [{**one, "startDate": at}], **token}, given)
    return StepFunctionsOpenJobs(states, MACHINE), stub


def test_open_jobs_are_the_running_executions() -> None:
    """Of all pages; the fake says the same."""
    started = [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (12, 10, 11)]
    jobs, stub = _step_functions(*started)
    with stub:
        assert list(jobs.started_at()) == started == list(FakeOpenJobs(*started).started_at())
        stub.assert_no_pending_responses()


def test_shards_are_no_jobs() -> None:
    """Should they be listed: they belong to a Map Run."""
    jobs, stub = _step_functions()
    job = {"executionArn": "a", "stateMachineArn": MACHINE, "name": "n", "status": "RUNNING", "startDate": START}
    executions = [job, {**job, "mapRunArn": "arn:aws:states:us-east-1:123456789012:mapRun:batchdrop-job/x:y"}]
    stub.add_response("list_executions", {"executions": executions})
    with stub:
        assert list(jobs.started_at()) == [START]


def test_an_event_is_typed() -> None:
    """The port takes a JobEvent, so that nothing can be told that the schema does not know."""
    assert isinstance(EVENT, JobEvent)
