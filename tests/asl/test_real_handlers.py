"""The real definition with the real functions, on moto and the emulator, whose clock follows the waits."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.job.polling import MOST_LOOKS_IN_ALL
from batchdrop.job.submission import ShardFailure
from batchdrop.local.claude_api.testing import running_emulator
from batchdrop.recipe.recipe import DEFAULT_ROUNDS
from tests.asl.walker import TaskError, Walk, Walker
from tests.aws import client
from tests.functions.lambdas import BUCKET, STATE, UPLOAD, Cloud, Context, cloud, forget, load, set_environment
from tests.project import definition

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
CHILD: dict[str, Any] = definition()["States"]["Send every shard"]["ItemProcessor"]
JOB: str = UPLOAD["job_id"]
FUNCTION_OF = {
    "${SubmitShardFunctionArn}": "submit_shard",
    "${SettleSubmissionFunctionArn}": "settle_submission",
    "${PollBatchFunctionArn}": "poll_batch",
    "${CollectResultsFunctionArn}": "collect_results",
}


class Lane:
    """The batch lane of one job: split into one shard, its functions warm."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self._monkeypatch = monkeypatch
        self._modules: dict[str, Any] = {}
        cloud.put("recipes/sentiment.yaml", b"model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\n")
        self._invoke("split_upload", {"upload": cloud.put(UPLOAD["key"], b"x\na\nb\n")})

    def walk(self, **changes: int) -> Walk:
        """Walk the child's states to their end; every wait moves the emulator's clock."""
        set_environment("submit_shard", self.cloud, self._monkeypatch)
        walker = Walker(CHILD["States"], self._do, self.cloud.emulator.state.clock.advance)
        lane = {"lane": "batch", "deadline": 0}
        return walker.run(CHILD["StartAt"], {**STATE, **lane, "requests": 2, "wait_seconds": 60, **changes})

    def part(self) -> bytes:
        """Return the shard's part of the output, the one of the most rounds."""
        found = self.cloud.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"jobs/{JOB}/parts/00000.r")["Contents"]
        return self.cloud.get(max(one["Key"] for one in found if one["Key"].endswith(".csv")))

    def _do(self, resource: str, given: Any) -> Any:
        if resource == "arn:${Partition}:states:::dynamodb:putItem":
            client("dynamodb").put_item(TableName="ledger", Item=given["Item"])
            return {}
        try:
            return self._invoke(FUNCTION_OF[resource], given)
        except Exception as error:
            cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            raise TaskError(type(error).__name__, cause) from error

    def _invoke(self, function: str, given: Any) -> Any:
        if function not in self._modules:
            set_environment(function, self.cloud, self._monkeypatch)
            self._modules[function] = load(function)
            self._modules[function].logger.registered_handler.setStream(io.StringIO())
        return self._modules[function].handler(given, Context(function))


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lane]:
    """A lane on a service that takes longer than a Message Batch lives."""
    with running_emulator(batch_seconds=200_000.0) as emulator, mock_aws():
        forget()
        yield Lane(cloud(emulator), monkeypatch)
    forget()


def test_a_day_with_the_real_functions(lane: Lane) -> None:
    """The service never gets to the rows: they expire in each round, the part says so, and nothing was billed."""
    walk = lane.walk()
    assert walk.visited[-1] == "Shard done"
    assert walk.events < 3_200 * DEFAULT_ROUNDS
    assert walk.largest < 480
    assert [line.split(b",")[2] for line in lane.part().splitlines()] == [b"failed", b"failed"]
    assert b"expired: " in lane.part()
    assert lane.cloud.emulator.bill() == []
    assert lane.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"200": DEFAULT_ROUNDS}


@pytest.mark.parametrize("kind", ["results_short", "results_cut_mid_line", "results_dropped"])
def test_spoilt_results_are_fetched_again(lane: Lane, kind: str) -> None:
    """Downloads that break or lie are repeated until they are whole; every row has its own answer, billed once."""
    lane.cloud.emulator.settings(batch_seconds=30.0)
    lane.cloud.emulator.inject(kind, times=3)
    walk = lane.walk()
    assert walk.visited[-1] == "Shard done"
    assert lane.part().count(b",answered,") == 2
    assert len(lane.cloud.emulator.bill()) == 2


def test_a_service_that_hides_a_fresh_message_batch_is_waited_for(lane: Lane) -> None:
    """404 right after the create, and right after the end, loses nothing."""
    lane.cloud.emulator.settings(batch_seconds=30.0)
    lane.cloud.emulator.inject("not_found_when_fresh", "batches.*", seconds=120)
    assert lane.walk().visited[-1] == "Shard done"
    assert lane.part().count(b",answered,") == 2


def test_a_busy_service_is_tried_later(lane: Lane) -> None:
    """429 on the create creates nothing, and is tried again until it is taken: once."""
    lane.cloud.emulator.settings(batch_seconds=30.0)
    lane.cloud.emulator.inject("rate_limited", "batches.create", times=5, retry_after=900)
    assert lane.walk().visited[-1] == "Shard done"
    assert lane.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"200": 1, "429": 5}


def test_a_lost_answer_is_settled(lane: Lane) -> None:
    """One POST, a Message Batch that is followed to its end and adopted, and each row billed once."""
    lane.cloud.emulator.settings(batch_seconds=30.0)
    lane.cloud.emulator.inject("accept_then_drop", "batches.create")
    walk = lane.walk()
    assert walk.visited[-1] == "Shard done"
    assert lane.part().count(b",answered,") == 2
    assert lane.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"dropped": 1}
    assert len(lane.cloud.emulator.bill()) == 2
    assert DynamoLedger(lane.cloud.table).shard_failures(JOB) == []


def test_a_create_that_never_arrived_is_sent_again(lane: Lane) -> None:
    """Nothing is listed long enough after the attempt: armed again, and sent once more."""
    lane.cloud.emulator.settings(batch_seconds=30.0)
    lane.cloud.emulator.inject("drop_before_accept", "batches.create")
    walk = lane.walk()
    assert walk.visited.count("Submit shard") == 2
    assert walk.visited[-1] == "Shard done"
    assert lane.part().count(b",answered,") == 2
    assert len(lane.cloud.emulator.bill()) == 2


def test_what_cannot_be_told_ends_the_shard_and_is_looked_for_again(lane: Lane) -> None:
    """Our own Message Batch, and a proxy's page in place of its results: named, not sent again, and adopted later."""
    lane.cloud.emulator.settings(batch_seconds=30.0)
    lane.cloud.emulator.inject("accept_then_drop", "batches.create")
    lane.cloud.emulator.inject("page_before_accept", "batches.results", status=502, times=-1)
    walk = lane.walk(all_looks=MOST_LOOKS_IN_ALL - 10)
    assert walk.visited.count("Settle submission") == 10
    assert (walk.visited[-1], walk.error) == ("Shard failed", "SubmissionUnsettled")
    [failure] = DynamoLedger(lane.cloud.table).shard_failures(JOB)
    assert failure.error == "SubmissionUnsettled"
    assert "msgbatch_" in failure.cause
    assert "HTTP 502" in failure.cause
    lane.cloud.emulator.clear_faults()
    assert lane.walk().visited[-1] == "Shard done"
    assert lane.part().count(b",answered,") == 2
    assert lane.cloud.emulator.call_summary()["by_endpoint"]["batches.create"] == {"dropped": 1}
    assert len(lane.cloud.emulator.bill()) == 2


def test_a_refused_create_ends_the_shard(lane: Lane) -> None:
    """A red shard, and a reason in the ledger that the closing job can read."""
    lane.cloud.emulator.inject("error_before_accept", "batches.create", status=413)
    walk = lane.walk()
    assert (walk.visited[-1], walk.error) == ("Shard failed", "SubmissionRefused")
    [failure] = DynamoLedger(lane.cloud.table).shard_failures(JOB)
    assert failure == ShardFailure(0, "SubmissionRefused", walk.cause)
