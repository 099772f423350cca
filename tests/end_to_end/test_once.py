"""Nothing runs, and nothing is paid, twice; and nothing runs that was not dropped into the inbox."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.bench import Bench, csv_of
from tests.local.polling import eventually

pytestmark = pytest.mark.stack

WATCHED = "inbox/ask/twice"


@pytest.fixture
def s3_events(bench: Bench) -> Iterator[str]:
    """A queue that gets the same events as the function, for keys that start with WATCHED; its URL."""
    sqs = bench.stack.client("sqs")
    url: str = sqs.create_queue(QueueName="seen-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bucket: Any = {"Bucket": bench.stack.bucket}
    before: Any = bench.s3.get_bucket_notification_configuration(**bucket)
    before.pop("ResponseMetadata")
    watch: Any = {
        "QueueArn": arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": WATCHED}]}},
    }
    both: Any = {**before, "QueueConfigurations": [watch]}
    bench.s3.put_bucket_notification_configuration(**bucket, NotificationConfiguration=both)
    yield url
    bench.s3.put_bucket_notification_configuration(**bucket, NotificationConfiguration=before)
    sqs.delete_queue(QueueUrl=url)


def _event_of(bench: Bench, queue: str, key: str) -> dict[str, Any]:
    """The event that S3 sent for an upload."""
    sqs = bench.stack.client("sqs")

    def received() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        events = [json.loads(message["Body"]) for message in messages]
        return [event for event in events if key in json.dumps(event.get("Records"))]

    return eventually(received, what=f"the event of {key}")[0]


def test_event_delivered_twice(bench: Bench, s3_events: str) -> None:
    """The same event again, while the job runs and after its end, starts nothing and bills nothing more."""
    key = f"{WATCHED}.csv"
    bench.drop(key, csv_of(["one", "two"]))
    event = _event_of(bench, s3_events, key)
    while_running = _invoke_split(bench, event)
    job = bench.ended_job(key)
    after_the_end = _invoke_split(bench, event)
    assert job.status == "SUCCEEDED"
    assert json.loads(after_the_end) == {"jobs_started": []}
    # Whichever of the two deliveries came first, both mean the same job.
    assert json.loads(while_running)["jobs_started"] in ([], [job.job_id])
    assert [one["name"] for one in bench.executions()].count(job.job_id) == 1
    assert list(bench.jobs()).count(key) == 1
    assert (bench.claude.bill_summary()["requests"], bench.creates()) == (2, 1)


def test_same_file_dropped_again(bench: Bench) -> None:
    """A new upload of the same file is a new job: the user asked again."""
    key = "inbox/ask/dropped again.csv"
    first = bench.run(key, csv_of(["one"]))
    count = len(bench.executions())
    bench.drop(key, csv_of(["one"]))
    eventually(lambda: len(bench.executions()) > count, what="the second job")
    second = bench.ended_job(key)
    assert second.job_id != first.job_id
    assert second.status == "SUCCEEDED"
    assert bench.claude.bill_summary()["requests"] == 2


def _invoke_split(bench: Bench, event: dict[str, Any]) -> bytes:
    answer = bench.stack.clients.functions().invoke(FunctionName="batchdrop-split-upload", Payload=json.dumps(event))
    assert "FunctionError" not in answer
    return answer["Payload"].read()


@pytest.mark.parametrize("key", ["elsewhere/ask/x.csv", "inboxes/ask/x.csv", "results/ask/x.csv", "inbox/ask/"])
def test_uploads_that_are_none(bench: Bench, key: str) -> None:
    """What lies outside the inbox, and a folder's marker in it, starts no job."""
    bench.drop(key, csv_of(["one"]))
    after = f"inbox/ask/after {key.replace('/', ' ')}.csv"
    bench.run(after, csv_of(["one"]))  # a whole job's time for that upload's event, if there were one
    assert key not in bench.jobs()
    assert bench.claude.bill_summary()["requests"] == 1


@pytest.mark.parametrize("key", ["elsewhere/ask/x.csv", "inbox/ask/"])
def test_events_of_uploads_that_are_none(bench: Bench, key: str) -> None:
    """The function itself ignores them too, should a notification lack its prefix."""
    record = {
        "eventTime": "2026-11-22T10:00:00.000Z",
        "s3": {
            "bucket": {"name": bench.stack.bucket},
            "object": {"key": key, "size": 9, "eTag": "e", "sequencer": "1"},
        },
    }
    assert json.loads(_invoke_split(bench, {"Records": [record]})) == {"jobs_started": []}
