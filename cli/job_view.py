"""What a running job looks like from outside: read from its execution, its files and the ledger."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from batchdrop.adapters.dynamodb import DynamoLedger
from batchdrop.adapters.dynamodb_approvals import DynamoApprovals
from batchdrop.adapters.s3 import S3ObjectStore
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import Manifest
from batchdrop.domain.tally import Tally
from batchdrop.ports import ObjectMissing
from batchdrop.usecases.job_files import read_manifest


class Stage(Enum):
    """Where a job, or a shard, is on its way."""

    STARTING = "starting"
    SPLITTING = "splitting"
    WAITING = "waiting its turn"
    ASKING = "asking"
    UNAPPROVED = "waiting for approval"
    COLLECTED = "collected"
    CLOSING = "closing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


ENDED = {Stage.SUCCEEDED, Stage.FAILED}
HELD = ENDED | {Stage.UNAPPROVED}  # nothing moves any more, or not before somebody says so


@dataclass(slots=True)
class ShardView:
    """One shard: its size, its stage, once it is collected its counts, and how many rounds were asked."""

    shard: int
    rows: int
    requests: int
    stage: Stage = Stage.WAITING
    batch_id: str = ""
    tally: Tally | None = None
    rounds: int = 0


@dataclass(slots=True)
class JobView:
    """A job at one moment. `error` is the execution's own when it failed."""

    job_id: str
    stage: Stage = Stage.STARTING
    shards: list[ShardView] = field(default_factory=list)
    rows: int = 0
    error: str = ""


LIVE_LANE = "live lane"  # stands where a Message Batch's id would
_LIVE_ROUND = re.compile(r"\.r(\d+)\.live/")


class JobWatcher:
    """Looks at one job again and again; what has ended is not looked at twice."""

    def __init__(
        self,
        *,
        job_id: str,
        execution_arn: str,
        executions: Any,
        store: S3ObjectStore,
        ledger: DynamoLedger,
        approvals: DynamoApprovals | None = None,
    ) -> None:
        self._execution_arn = execution_arn
        self._executions = executions
        self._store = store
        self._ledger = ledger
        self._approvals = approvals
        self._view = JobView(job_id)
        self._manifest: Manifest | None = None

    def look(self) -> JobView:
        """Return the job as it is now."""
        execution = self._executions.describe_execution(executionArn=self._execution_arn)
        self._look_at_manifest()
        self._look_at_shards()
        self._view.stage = self._stage(execution["status"])
        self._view.error = execution.get("cause") or execution.get("error") or ""
        return self._view

    def _stage(self, status: str) -> Stage:
        if status != "RUNNING":
            return Stage.SUCCEEDED if status == "SUCCEEDED" else Stage.FAILED
        if self._manifest is None:
            return Stage.STARTING
        if self._manifest.cursor is not None:
            return Stage.SPLITTING
        if self._waits_for_approval(self._manifest):
            return Stage.UNAPPROVED
        open_shards = any(
            shard.stage in {Stage.WAITING, Stage.ASKING} and shard.requests for shard in self._view.shards
        )
        return Stage.ASKING if open_shards else Stage.CLOSING

    def _waits_for_approval(self, manifest: Manifest) -> bool:
        if self._approvals is None or manifest.recipe is None or manifest.recipe.sampled is None:
            return False
        job_id = self._view.job_id
        if not self._approvals.tokens(job_id) or self._ledger.halted(job_id):
            return False
        return self._approvals.approved(job_id) is None

    def _look_at_manifest(self) -> None:
        if self._manifest is not None and self._manifest.cursor is None:
            return
        self._manifest = read_manifest(self._store, self._view.job_id)
        if self._manifest is not None:
            self._view.rows = self._manifest.rows
            self._view.shards = [ShardView(item.shard, item.rows, item.requests) for item in self._manifest.shards]

    def _look_at_shards(self) -> None:
        if not self._view.shards:
            return
        for sent in self._ledger.submissions(self._view.job_id):
            shard = self._view.shards[sent.shard]
            shard.batch_id, shard.rounds = sent.batch_id or "", sent.asked_round + 1
        for shard in self._view.shards:
            self._look_for_live_answers(shard)
        for failure in self._ledger.shard_failures(self._view.job_id):
            self._view.shards[failure.shard].stage = Stage.FAILED
        for shard in self._view.shards:
            self._look_at(shard)

    def _look_for_live_answers(self, shard: ShardView) -> None:
        """The live lane has no submissions; its rounds are seen by their answers."""
        if shard.stage in {Stage.COLLECTED, Stage.FAILED}:
            return
        rounds = JobKeys(self._view.job_id).live_rounds(shard.shard)
        found = [_LIVE_ROUND.search(key) for key in self._store.keys(rounds)]
        numbers = [int(match[1]) for match in found if match]
        if numbers and max(numbers) >= shard.rounds:
            shard.rounds, shard.batch_id = max(numbers) + 1, LIVE_LANE

    def _look_at(self, shard: ShardView) -> None:
        if shard.stage in {Stage.COLLECTED, Stage.FAILED} or not shard.batch_id:
            return
        shard.stage = Stage.ASKING
        try:
            body = self._store.read(JobKeys(self._view.job_id).part_tally(shard.shard, shard.rounds))
        except ObjectMissing:
            return
        shard.stage, shard.tally = Stage.COLLECTED, msgspec.json.decode(body, type=Tally)


def find_execution(executions: Any, state_machine_arn: str) -> tuple[str, str] | None:
    """Return job id and ARN of the state machine's newest execution; None while there is none.

    The Distributed Map's children are executions too; they belong to a map run.
    """
    found = executions.list_executions(stateMachineArn=state_machine_arn)["executions"]
    return next(((one["name"], one["executionArn"]) for one in found if not one.get("mapRunArn")), None)
