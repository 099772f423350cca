"""A job as seen from outside: stages and counts, read from its execution, its files and the ledger."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from batchdrop.cli.job.job_view import JobWatcher, Stage, find_execution
from batchdrop.job.job_files import write_manifest
from batchdrop.job.job_progress import ShardProgress
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem, UploadRecord
from batchdrop.job.submission import ShardFailure, Submission
from batchdrop.report.tally import Tally
from batchdrop.requests.row import Cursor
from tests.cli.fake_bucket import FakeBucket
from tests.fakes import FakeLedger

JOB = "20261122T120000-0123456789"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UPLOAD = UploadRecord(JOB, "bucket", "inbox/r/x.csv", "etag", 99, NOW)


class FakeExecutions:
    """Step Functions, as far as a watcher asks it."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {"status": "RUNNING"}
        self.listed: list[dict[str, str]] = []

    def describe_execution(self, **_arn: str) -> dict[str, str]:
        """One execution."""
        return self.status

    def list_executions(self, **_arn: str) -> dict[str, Any]:
        """All executions, newest first."""
        return {"executions": self.listed}


class Scene:
    """A job that a test moves on, and its watcher."""

    def __init__(self) -> None:
        self.executions, self.ledger = FakeExecutions(), FakeLedger()
        self.store = FakeBucket()
        self.noted: list[ShardProgress] = []
        fakes: Any = {"executions": self.executions, "store": self.store, "ledger": self.ledger}
        fakes |= {"progress": lambda _job_id: self.noted}
        self.look = JobWatcher(job_id=JOB, execution_arn="arn", **fakes).look

    def split(self, *, shards: int, finished: bool = True, requests: int = 9, waves: bool = False) -> None:
        """Write the manifest."""
        items = [ShardItem(number, 10, requests, 100) for number in range(shards)]
        cursor = None if finished else Cursor(5, 5, 5)
        manifest = Manifest(upload=UPLOAD, format="csv", recipe=None, shards=items, cursor=cursor, waves=waves)
        write_manifest(self.store, manifest)

    def submit(self, shard: int) -> None:
        """Record a submission."""
        intent = Submission(JOB, shard, 0, 9, f"attempt-{shard}", NOW, NOW)
        self.ledger.begin(intent)
        self.ledger.accept(intent, f"msgbatch_{shard}")

    def collect(self, shard: int) -> None:
        """Write a shard's tally."""
        self.store.write(
            JobKeys(JOB).part_tally(shard, 1), msgspec.json.encode(Tally(rows=10, answered=8, failed=1, rejected=1))
        )


@pytest.fixture
def scene() -> Scene:
    """A job that has just started."""
    return Scene()


def test_the_last_round_has_the_counts(scene: Scene) -> None:
    """A resumed shard's earlier part is not its last word."""
    scene.split(shards=1)
    scene.submit(0)
    again = Submission(JOB, 0, 1, 2, "again", NOW, NOW)
    scene.ledger.begin(again)
    scene.ledger.accept(again, "msgbatch_1")
    scene.collect(0)
    [shard] = scene.look().shards
    assert (shard.stage, shard.batch_id, shard.tally) == (Stage.ANSWERING, "msgbatch_1", None)
    scene.store.write(JobKeys(JOB).part_tally(0, 2), msgspec.json.encode(Tally(rows=10, answered=10)))
    [shard] = scene.look().shards
    assert (shard.stage, shard.tally) == (Stage.COLLECTED, Tally(rows=10, answered=10))


def test_stages_of_a_job(scene: Scene) -> None:
    """Starting, splitting, answering, closing, succeeded."""
    stages = [scene.look().stage]
    scene.split(shards=1, finished=False)
    stages.append(scene.look().stage)
    scene.split(shards=2)
    stages.append(scene.look().stage)
    scene.submit(0)
    scene.submit(1)
    scene.collect(0)
    stages.append(scene.look().stage)
    scene.collect(1)
    stages.append(scene.look().stage)
    scene.executions.status = {"status": "SUCCEEDED"}
    stages.append(scene.look().stage)
    assert stages == [
        *(Stage.STARTING, Stage.SPLITTING, Stage.ANSWERING, Stage.ANSWERING, Stage.CLOSING, Stage.SUCCEEDED),
    ]


def test_stages_of_a_shard(scene: Scene) -> None:
    """Waiting until it has a Message Batch, answering until its tally is there."""
    scene.split(shards=3)
    scene.submit(0)
    scene.submit(1)
    scene.collect(1)
    view = scene.look()
    assert [shard.stage for shard in view.shards] == [Stage.ANSWERING, Stage.COLLECTED, Stage.WAITING]
    assert [shard.batch_id for shard in view.shards] == ["msgbatch_0", "msgbatch_1", ""]
    assert view.shards[1].tally == Tally(rows=10, answered=8, failed=1, rejected=1)
    assert view.rows == 30


def test_an_open_round_counts_what_a_look_at_it_saw(scene: Scene) -> None:
    """What is said of an earlier round, or of a shard that is collected, says nothing of this one."""
    scene.split(shards=2)
    scene.submit(0)
    scene.submit(1)
    scene.noted = [
        ShardProgress(0, "asked", 0, "batch", NOW, requests=9, processing=2),
        ShardProgress(1, "asked", 1, "batch", NOW, requests=9, processing=1),
    ]
    assert [shard.done for shard in scene.look().shards] == [7, 0]
    scene.noted = [ShardProgress(0, "collected", 0, "batch", NOW, answered=9)]
    scene.collect(0)
    assert scene.look().shards[0].stage is Stage.COLLECTED


def test_a_part_with_results_that_were_read_again_is_the_last_word(scene: Scene) -> None:
    """Its key names the reading; the part without it may be there, too."""
    scene.split(shards=1)
    scene.submit(0)
    key = JobKeys(JOB).part_tally(0, 1, reading="0123456789")
    scene.store.write(key, msgspec.json.encode(Tally(rows=10, answered=10)))
    assert scene.look().shards[0].tally == Tally(rows=10, answered=10)


def test_a_wave_does_not_count_the_rows_that_wait_as_done(scene: Scene) -> None:
    """Its first round has two of nine requests; the other seven are sent later."""
    scene.split(shards=1, waves=True)
    first = Submission(JOB, 0, 1, 2, "first", NOW, NOW)
    scene.ledger.begin(first)
    scene.ledger.accept(first, "msgbatch_1")
    scene.noted = [ShardProgress(0, "asked", 1, "batch", NOW, requests=2, processing=1)]
    assert [shard.done for shard in scene.look().shards] == [0]


def test_failed_shard(scene: Scene) -> None:
    """A shard whose failure is in the ledger has failed, with or without a Message Batch."""
    scene.split(shards=2)
    scene.submit(1)
    scene.ledger.fail(JOB, ShardFailure(1, "SubmissionUncertain", "lost"))
    assert [shard.stage for shard in scene.look().shards] == [Stage.WAITING, Stage.FAILED]


def test_shard_without_requests_holds_nothing_up(scene: Scene) -> None:
    """A shard of rejects only is never asked, so the job is closing."""
    scene.split(shards=1, requests=0)
    assert scene.look().stage is Stage.CLOSING


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_red_job(scene: Scene, status: str) -> None:
    """However an execution ended badly, the job has failed, and the view says why."""
    scene.executions.status = {"status": status, "error": "RecipeRejected", "cause": "no such key"}
    view = scene.look()
    assert (view.stage, view.error) == (Stage.FAILED, "no such key")


def test_newest_execution_of_its_own() -> None:
    """A Map's child executions are not the job."""
    executions = FakeExecutions()
    assert find_execution(executions, "arn") is None
    child = {"name": "child", "executionArn": "arn:child", "mapRunArn": "arn:run"}
    job = {"name": JOB, "executionArn": "arn:job"}
    older = {"name": "older", "executionArn": "arn:older"}
    executions.listed = [child, job, older]
    assert find_execution(executions, "arn") == (JOB, "arn:job")


def test_the_live_lane_is_seen_by_its_answers() -> None:
    """It has no Message Batch; a shard whose late leftovers went over to it has another round."""
    scene = Scene()
    scene.split(shards=2)
    scene.submit(1)
    for shard, round_number in ((0, 0), (1, 1)):
        scene.store.write(JobKeys(JOB).live_flush(shard, round_number, 0, "attempt", 0), b"")
    first, second = scene.look().shards
    assert (first.stage, first.batch_id, first.rounds) == (Stage.ANSWERING, "live lane", 1)
    assert (second.stage, second.batch_id, second.rounds) == (Stage.ANSWERING, "live lane", 2)
    scene.store.write(JobKeys(JOB).part_tally(1, 2), msgspec.json.encode(Tally(rows=10, answered=10)))
    assert [shard.stage for shard in scene.look().shards] == [Stage.ANSWERING, Stage.COLLECTED]
