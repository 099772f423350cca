"""Events on the embedded stack: a consumer's own rule sees each state of a job, and the hourly watch runs."""

import json
from typing import Any

import jsonschema_rs
import pytest

from batchdrop.cli.deployment import find_deployment
from batchdrop.cli.run import approval
from tests.end_to_end.bench import Bench, csv_of
from tests.end_to_end.conftest import ASK
from tests.local.polling import eventually
from tools.job_event_schema import job_event_schema

pytestmark = pytest.mark.stack
VALID = jsonschema_rs.Draft202012Validator(job_event_schema())


class Consumer:
    """Who listens: a rule that puts what it gets into a queue."""

    def __init__(self, bench: Bench, name: str) -> None:
        events, self._sqs = bench.stack.client("events"), bench.stack.client("sqs")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"source": ["batchdrop"], "detail-type": ["Job state changed"]}
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        self.told: list[dict[str, Any]] = []

    def has_heard(self, state: str) -> bool:
        """Take what has come; tell whether one of that state has."""
        messages = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
        self.told += [json.loads(message["Body"])["detail"] for message in messages]
        return state in {one["state"] for one in self.told}


def test_a_job_tells_its_states(bench: Bench) -> None:
    """Started, split, succeeded: each as the schema says, of the same job, and the results are there by then."""
    consumer = Consumer(bench, "ends")
    job = bench.run("inbox/ask/told.csv", csv_of(["one", "two"]))
    eventually(lambda: consumer.has_heard("succeeded"), what="the event of the job's end")
    for one in consumer.told:
        VALID.validate(one)
    assert {one["state"] for one in consumer.told} == {"started", "split", "succeeded"}
    assert {(one["job_id"], one["stack"]) for one in consumer.told} == {(job.job_id, "batchdrop")}
    [end] = [one for one in consumer.told if one["state"] == "succeeded"]
    assert f"{end['results']}summary.json" in bench.keys("results/")
    assert end["rows"] == {"rows": 2, "answered": 2, "unusable": 0, "failed": 0, "rejected": 0}


def test_a_job_tells_that_it_waits(bench: Bench) -> None:
    """The sample is there by then, nobody needs to look for it; what `said` asks for makes the job go on."""
    consumer = Consumer(bench, "waits")
    bench.recipe("told", f"{ASK}sample: 2\n")
    bench.drop("inbox/told/waits.csv", csv_of(["one", "two", "three"]))
    eventually(lambda: consumer.has_heard("awaiting_approval"), seconds=120, what="the event of a job that waits")
    [waits] = [one for one in consumer.told if one["state"] == "awaiting_approval"]
    VALID.validate(waits)
    assert f"{waits['results']}sample.csv" in bench.keys("results/")
    assert waits["sample"]["rows"] == {"rows": 2, "answered": 2, "unusable": 0, "failed": 0, "rejected": 0}
    assert waits["sample"]["requests"] == 1
    deployment = find_deployment("batchdrop", region=None, endpoint_url=bench.stack.endpoint_url)
    assert f"`batchdrop approve {waits['job_id']}`" in waits["said"]
    eventually(lambda: deployment.approvals.tokens(waits["job_id"]), what="a task that waits for an approval")
    approval.approve(deployment, waits["job_id"])
    eventually(lambda: consumer.has_heard("succeeded"), seconds=120, what="the event of the job's end")
    assert {one["job_id"] for one in consumer.told} == {waits["job_id"]}


def test_the_watch_sees_no_shards(bench: Bench) -> None:
    """After all jobs have ended, none is open; what the Map started does not count."""
    bench.run("inbox/ask/watched.csv", csv_of(["one"]))
    answer = bench.stack.client("lambda").invoke(FunctionName="batchdrop-watch-jobs", Payload=b"{}")
    assert json.loads(answer["Payload"].read()) == {"open": 0, "oldest_hours": 0.0}
