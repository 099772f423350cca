"""The live lane's handler with its event from `events/`, on moto and the emulator."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from batchdrop import bootstrap
from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.job.layout import JobKeys
from batchdrop.job.submission import Halt
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.aws import client
from tests.bodies import create_body
from tests.fakes import START
from tests.functions.lambdas import API_KEY, BUCKET, SECRET, Cloud, Context, cloud, forget, load
from tests.live_fakes import FakeTaskTokens
from tests.project import event

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TASK: dict[str, Any] = json.loads(event("answer_requests")["Records"][0]["body"])
JOB, TOKEN = TASK["slice"]["job_id"], TASK["task_token"]
KEYS = JobKeys(JOB)


@dataclass
class Lane:
    """The function's world."""

    cloud: Cloud
    tokens: FakeTaskTokens
    queue_url: str
    log: list[dict[str, Any]]

    def invoke(self, *slices: dict[str, Any], remaining: int = 900_000) -> dict[str, Any]:
        """Invoke the handler with a message for each slice; its log lines are in `log`."""
        [record] = event("answer_requests")["Records"]
        records = [
            {**record, "messageId": str(number), "body": json.dumps({**TASK, "slice": one})}
            for number, one in enumerate(slices)
        ]
        module = load("answer_requests")
        stream = io.StringIO()
        module.logger.registered_handler.setStream(stream)
        answer: dict[str, Any] = module.handler({"Records": records}, Context("answer_requests", remaining=remaining))
        self.log += [json.loads(line) for line in stream.getvalue().splitlines()]
        return answer

    def slice_of(self, requests: int, number: int = 0) -> dict[str, Any]:
        """Write a create body into the bucket; return the slice that holds all of it."""
        body = b"".join(create_body(requests, job=JOB, shard=number))
        self.cloud.put(KEYS.requests(number), body)
        return {**TASK["slice"], "shard": number, "slice": number, "start": 0, "end": len(body), "requests": requests}

    def lines(self, number: int = 0) -> list[dict[str, Any]]:
        """Return the result lines of a slice."""
        store = bootstrap.object_store()
        keys = list(store.keys(KEYS.live_answers(number, 0, number)))
        return [json.loads(line) for key in keys for line in store.read(key).splitlines()]


@pytest.fixture
def lane(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lane]:
    """The function on an empty cloud."""
    emulator.reset()
    forget()
    with mock_aws():
        queue_url = client("sqs").create_queue(QueueName="live")["QueueUrl"]
        values = {
            "BUCKET_NAME": BUCKET, "LEDGER_TABLE": "ledger", "API_KEY_SECRET_ARN": SECRET,
            "ANTHROPIC_BASE_URL": emulator.base_url, "LIVE_QUEUE_URL": queue_url,
            "LIVE_SHARE": "1", "AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "batchdrop",
            "POWERTOOLS_METRICS_NAMESPACE": "batchdrop", "POWERTOOLS_TRACE_DISABLED": "true",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        tokens = FakeTaskTokens()
        monkeypatch.setattr(bootstrap, "task_tokens", lambda: tokens)
        yield Lane(cloud(emulator), tokens, queue_url, [])
    forget()


def test_a_message_is_answered(lane: Lane) -> None:
    """The slice's requests become lines in the bucket, the task learns the counts, the message may be deleted."""
    assert lane.invoke(lane.slice_of(5)) == {"batchItemFailures": []}
    assert sorted(line["custom_id"][-1] for line in lane.lines()) == list("01234")
    assert lane.tokens.succeeded[TOKEN]["answered"] == 5
    assert lane.cloud.emulator.bill_summary()["requests"] == 5


def test_messages_of_one_event_are_served_side_by_side(lane: Lane) -> None:
    """Each has its own end: one is answered, the one that makes no sense comes again."""
    answer = lane.invoke(lane.slice_of(2), {"slice": "none"})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(lane.lines()) == 2


def test_a_halted_job_is_asked_nothing(lane: Lane) -> None:
    """The task ends, and says why."""
    DynamoLedger(lane.cloud.table).halt(JOB, Halt("JobCanceled", "by its user", START))
    lane.invoke(lane.slice_of(3))
    told = lane.tokens.succeeded[TOKEN]
    assert (told["left"], told["asked"], told["stopped"]) == (3, 0, "JobCanceled")


def test_a_placeholder_for_a_key_halts_the_job(lane: Lane) -> None:
    """A stack without a key says where to put it, in the task and in the ledger."""
    client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=bootstrap.PLACEHOLDER_KEY)
    lane.invoke(lane.slice_of(3))
    assert "put-secret-value" in lane.tokens.failed[TOKEN][1]
    assert DynamoLedger(lane.cloud.table).halted(JOB) is not None


def test_the_log_tells_no_rows_and_no_keys(lane: Lane) -> None:
    """Counts and outcomes only."""
    lane.invoke(lane.slice_of(2))
    text = json.dumps(lane.log)
    assert "done" in text
    assert "hello" not in text
    assert API_KEY not in text
