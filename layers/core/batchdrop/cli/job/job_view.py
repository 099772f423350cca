"""The view of a running job from outside: read from its execution, its files and the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol

import msgspec

from batchdrop.cli.bucket import Files, Stored, concurrently
from batchdrop.cli.job.documents import SplitSoFar, read_split
from batchdrop.job.job_progress import ShardProgress
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem
from batchdrop.job.ports import Approvals
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.report.tally import Tally


class Stage(Enum):
    """The stage of a job or a shard."""

    STARTING = "starting"
    SPLITTING = "splitting"
    WAITING = "waiting"
    ANSWERING = "answering"
    UNAPPROVED = "waiting for approval"
    NOTHING = "nothing to send"
    COLLECTED = "collected"
    CLOSING = "closing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


ENDED = {Stage.SUCCEEDED, Stage.FAILED}
HELD = ENDED | {Stage.UNAPPROVED}  # no progress, or none without an approval
SHARD_OPEN = {Stage.WAITING, Stage.ANSWERING}


@dataclass(slots=True)
class ShardView:
    """One shard: its size, its stage, its number of rounds, and its counts once it is collected.

    `done` counts the requests with a result before they are collected, if known. `began_at` is when this execution
    first sent it, `ended_at` when its part was written.
    """

    shard: int
    rows: int
    requests: int
    stage: Stage = Stage.WAITING
    batch_id: str = ""
    tally: Tally | None = None
    rounds: int = 0
    done: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(slots=True)
class JobView:
    """A job at the time `at`. `error` is the execution's error if it failed."""

    job_id: str
    stage: Stage = Stage.STARTING
    shards: list[ShardView] = field(default_factory=list)
    rows: int = 0
    error: str = ""
    began_at: datetime | None = None
    at: datetime | None = None


class Facts(Protocol):
    """The part of the ledger that a view of a job needs."""

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""

    def halted(self, job_id: str) -> Halt | None:
        """Return why the job sends nothing more; None if it does."""


ReadProgress = Callable[[str], Iterable[ShardProgress]]  # of a job

LIVE_LANE = "live lane"  # in place of a Message Batch's id
_LIVE_ROUND = re.compile(r"/(\d{5})\.r(\d+)\.live/$")
_READING = re.compile(r"\.again-[0-9a-f]+(?=\.tally\.json$)")


def no_progress(_job_id: str) -> Iterable[ShardProgress]:
    """Return no progress of open rounds."""
    return ()


class JobWatcher:
    """Polls one job. Shards that have ended are read once."""

    def __init__(
        self,
        *,
        job_id: str,
        execution_arn: str,
        executions: Any,
        store: Files,
        ledger: Facts,
        approvals: Approvals | None = None,
        progress: ReadProgress = no_progress,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._execution_arn = execution_arn
        self._executions = executions
        self._store = store
        self._ledger = ledger
        self._approvals = approvals
        self._progress = progress
        self._now = now
        self._keys = JobKeys(job_id)
        self._view = JobView(job_id)
        self._manifest: SplitSoFar | None = None

    def look(self) -> JobView:
        """Return the job's current view."""
        execution = self._executions.describe_execution(executionArn=self._execution_arn)
        self._look_at_manifest()
        if self._manifest is not None and self._manifest.cursor is None:
            self._view.began_at = _later(self._manifest.split_ended_at, execution.get("startDate"))
            self._look_at_shards()
        self._view.stage = self._stage(execution["status"])
        self._view.error = execution.get("cause") or execution.get("error") or ""
        self._view.at = self._now()
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
        return Stage.ANSWERING if any(shard.stage in SHARD_OPEN for shard in self._view.shards) else Stage.CLOSING

    def _waits_for_approval(self, manifest: SplitSoFar) -> bool:
        job_id = self._view.job_id
        if self._approvals is None or not manifest.is_sampled:
            return False
        if not self._approvals.tokens(job_id) or self._ledger.halted(job_id):
            return False
        return self._approvals.approved(job_id) is None

    def _look_at_manifest(self) -> None:
        if self._manifest is not None and self._manifest.cursor is None:
            return
        self._manifest = read_split(self._store, self._view.job_id)
        if self._manifest is not None:
            self._view.rows = self._manifest.rows
            self._view.shards = [_shard_view(item) for item in self._manifest.shards]

    def _look_at_shards(self) -> None:
        if not any(shard.stage in SHARD_OPEN for shard in self._view.shards):
            return
        for sent in self._ledger.submissions(self._view.job_id):
            self._note_submission(sent)
        self._note_live_rounds()
        for failure in self._ledger.shard_failures(self._view.job_id):
            self._view.shards[failure.shard].stage = Stage.FAILED
        self._note_progress()
        self._note_collected()

    @property
    def _is_counted_late(self) -> bool:
        """Return whether the rows of a shard that are done are known only when it is collected."""
        return self._manifest is not None and self._manifest.starts_empty

    def _note_submission(self, sent: Submission) -> None:
        shard = self._view.shards[sent.shard]
        shard.batch_id, shard.rounds = sent.batch_id or "", sent.round_number + 1
        if not self._is_counted_late:  # else a round does not have all that earlier ones left
            shard.done = shard.requests - sent.requests
        shard.began_at = shard.began_at or _later(sent.sent_at, self._view.began_at)

    def _note_live_rounds(self) -> None:
        """Note rounds of the live lane by their answers, because they have no submissions."""
        for folder in self._store.listed(self._keys.all_answers):
            found = _LIVE_ROUND.search(folder.key)
            if found and int(found[2]) >= self._view.shards[int(found[1])].rounds:
                shard = self._view.shards[int(found[1])]
                shard.rounds, shard.batch_id = int(found[2]) + 1, LIVE_LANE
                shard.began_at = shard.began_at or self._view.began_at

    def _note_progress(self) -> None:
        """Note the results of open rounds, in addition to those of earlier rounds."""
        if self._is_counted_late:
            return
        for known in self._progress(self._view.job_id):
            shard = self._view.shards[known.shard]
            if known.stage == "asked" and known.round == shard.rounds - 1:
                shard.done = min(shard.requests, shard.done + known.requests - known.processing)

    def _note_collected(self) -> None:
        """Note collected shards: the tally of the last round's part is written last."""
        open_shards = [shard for shard in self._view.shards if shard.stage in SHARD_OPEN and shard.batch_id]
        for shard in open_shards:
            shard.stage = Stage.ANSWERING
        tallies = {self._keys.part_tally(shard.shard, shard.rounds): shard for shard in open_shards}
        found = [file for file in self._store.listed(self._keys.all_parts) if _of_round(file.key) in tallies]
        found.sort(key=_newest_last)  # results that a resume read again come after
        for file, body in zip(found, concurrently(self._read, found), strict=True):
            shard = tallies[_of_round(file.key)]
            shard.stage, shard.tally = Stage.COLLECTED, msgspec.json.decode(body, type=Tally)
            shard.done, shard.ended_at = shard.requests, file.modified

    def _read(self, file: Stored) -> bytes:
        return self._store.read(file.key)


def _shard_view(item: ShardItem) -> ShardView:
    return ShardView(
        item.shard, item.rows - item.sampled, item.requests, Stage.WAITING if item.requests else Stage.NOTHING
    )


def _newest_last(file: Stored) -> float:
    return file.modified.timestamp() if file.modified else 0.0


def _of_round(key: str) -> str:
    """Return the key of a part, without the mark of results that were read again."""
    return _READING.sub("", key)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def find_execution(executions: Any, state_machine_arn: str) -> tuple[str, str] | None:
    """Return job id and ARN of the state machine's newest execution; None if there is none.

    The Distributed Map's child executions are left out: they belong to a map run.
    """
    found = executions.list_executions(stateMachineArn=state_machine_arn)["executions"]
    return next(((one["name"], one["executionArn"]) for one in found if not one.get("mapRunArn")), None)
