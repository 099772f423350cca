"""The state of one shard in the state machine: pointers and counters, a few hundred bytes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from batchdrop.answers.result import MessageBatch
from batchdrop.job.job_progress import ShardProgress
from batchdrop.job.pilot import PRIMER_SHARD, PROBE_SHARD
from batchdrop.job.polling import MOST_LOOKS, MOST_LOOKS_IN_ALL, SETTLE_FIRST_WAIT, poll_seconds, settle_seconds
from batchdrop.limits import LIVE_LIFETIME
from batchdrop.recipe.lane import Lane
from batchdrop.report.tally import Tally


class ShardState(msgspec.Struct, frozen=True):
    """The state of one shard's child execution. Shards, rounds, polls and looks count from 0.

    - `shards` counts the job's shards, `requests` the requests of this round.
    - `expires_at` (Unix seconds) is when the ledger's items of the job expire.
    - `settled` is the last verdict on a submission whose response was lost. `looks` counts the searches that left it
      open, `all_looks` the searches for all lost submissions of this execution.
    - `lane` is the lane of the round; `slices` are its byte ranges in the live lane.
    - `deadline` (Unix seconds, 0 for none) is when Message Batches are canceled for the live lane.
    - `live_until` (Unix seconds, 0 until the first live round) is when live requests end, answered or not.
    - `waits_for` is `queue` or `budget` while the round waits for its turn. `waits` counts this execution's waits.
    - `worst_usd` is the highest cost of a later round at the standard price, if the job has a budget.
    - `marks` is the lane whose requests may be marked for the prompt cache; empty for none.
    - `leave_at` (Unix seconds, 0 for never) is when a pilot's execution ends, answered or not. `left`: it has ended so.
    """

    job_id: str
    shard: int
    shards: int
    requests: int
    expires_at: int
    resumes: int = 0
    round: int = 0
    batch_id: str = ""
    polls: int = 0
    wait_seconds: int = 0
    ended: bool = False
    looks: int = 0
    all_looks: int = 0
    settled: str = ""
    leftovers: int = 0
    lane: Lane = "batch"
    slices: list[dict[str, Any]] = []
    deadline: int = 0
    waits: int = 0
    waits_for: str = ""
    worst_usd: Decimal = Decimal(0)
    live_until: int = 0
    marks: Lane | Literal[""] = ""
    leave_at: int = 0
    left: bool = False

    @property
    def may_be_marked(self) -> bool:
        """Return whether this round's requests may be marked for the prompt cache."""
        return self.marks == self.lane

    @property
    def is_primer(self) -> bool:
        """Return whether this Message Batch is sent to prime the prompt cache."""
        return bool(self.leave_at) and self.marks == self.lane == "batch" and self.shard == PRIMER_SHARD

    @property
    def is_probe(self) -> bool:
        """Return whether this Message Batch is sent to see how many requests read the prompt cache."""
        return bool(self.leave_at) and self.marks == self.lane == "batch" and self.shard == PROBE_SHARD

    def leaving(self, now: datetime) -> ShardState:
        """Return the state, `left` if this is a pilot whose time is over. Its shard continues with all others."""
        is_over = bool(self.leave_at) and now.timestamp() >= self.leave_at
        return msgspec.structs.replace(self, left=is_over)

    def going_live(self, now: datetime) -> ShardState:
        """Return the state with the end of its live requests: the job's deadline if it is ahead, else after a day.

        All rounds of an execution have the same end. A pilot's end with its execution.
        """
        if self.live_until:
            return self
        if self.leave_at:
            return msgspec.structs.replace(self, live_until=self.leave_at)
        is_ahead = self.deadline > now.timestamp()
        until = self.deadline if is_ahead else int((now + LIVE_LIFETIME).timestamp())
        return msgspec.structs.replace(self, live_until=until)

    def sliced(self, slices: list[dict[str, Any]]) -> ShardState:
        """Return the state of a live round with these slices."""
        return msgspec.structs.replace(self, slices=slices, batch_id="", waits_for="")

    def waiting(self, waits_for: str, *, wait_seconds: int) -> ShardState:
        """Return the state of a round that waits for its turn."""
        return msgspec.structs.replace(self, waits_for=waits_for, waits=self.waits + 1, wait_seconds=wait_seconds)

    def planned_again(self) -> ShardState:
        """Return the state of the round before, which is collected already; collecting it again plans this round."""
        return msgspec.structs.replace(
            self,
            round=self.round - 1,
            batch_id="",
            slices=[],
            ended=True,
            polls=0,
            waits_for="",
            waits=0,
            wait_seconds=1,
        )

    def submitted(self, batch_id: str, *, is_collected: bool, wait_seconds: int) -> ShardState:
        """Return the state after the submission. A round that is already collected is not polled."""
        return msgspec.structs.replace(
            self, batch_id=batch_id, polls=0, wait_seconds=wait_seconds, ended=is_collected, waits_for=""
        )

    @property
    def is_last_look(self) -> bool:
        """Return whether the next search for a lost submission is this execution's last."""
        return self.looks + 1 >= MOST_LOOKS or self.all_looks + 1 >= MOST_LOOKS_IN_ALL

    def looked(self, verdict: str, *, batch_id: str) -> ShardState:
        """Return the state after a search for a lost submission."""
        wait = poll_seconds(0, open_shards=self.shards, jitter=0) if batch_id else settle_seconds(self.looks)
        looks = self.looks + 1 if verdict == "open" else 0
        return msgspec.structs.replace(
            self,
            settled=verdict,
            batch_id=batch_id,
            looks=looks,
            all_looks=self.all_looks + 1,
            polls=0,
            wait_seconds=wait,
            ended=False,
        )

    def collected(
        self, *, leftovers: int, lane: Lane = "batch", worst_usd: Decimal = Decimal(0), escalates: bool = False
    ) -> ShardState:
        """Return the state after a round: the state of the next round, in this lane, if there are leftovers.

        A round that `escalates` is not marked for the prompt cache: the other model has not read the prefix.
        """
        done = msgspec.structs.replace(self, leftovers=leftovers, slices=[])
        if not leftovers:
            return done
        return msgspec.structs.replace(
            done,
            requests=leftovers,
            round=self.round + 1,
            lane=lane,
            batch_id="",
            wait_seconds=SETTLE_FIRST_WAIT,
            worst_usd=worst_usd,
            marks="" if escalates else self.marks,
        )

    def polled(self, *, ended: bool, wait_seconds: int) -> ShardState:
        """Return the state after one more poll."""
        return msgspec.structs.replace(self, polls=self.polls + 1, wait_seconds=wait_seconds, ended=ended)

    def progress(self, batch: MessageBatch, at: datetime) -> ShardProgress:
        """Return the progress that a poll of the round's Message Batch shows."""
        counts = batch.request_counts
        return ShardProgress(
            self.shard, "asked", self.round, "batch", at, counts.total, counts.processing, batch_id=batch.id
        )

    def begins_live(self, requests: int, at: datetime) -> ShardProgress:
        """Return the progress of a live round that begins: none of its requests is answered."""
        return ShardProgress(self.shard, "asked", self.round, "live", at, requests, requests)

    def done(self, tally: Tally, at: datetime) -> ShardProgress:
        """Return the progress of a shard whose part is written."""
        failed = tally.failed + tally.rejected
        return ShardProgress(
            self.shard,
            "collected",
            self.round,
            self.lane,
            at,
            self.requests,
            answered=tally.answered,
            unusable=tally.unusable,
            failed=failed,
        )


def as_state(value: ShardState) -> dict[str, Any]:
    """Return a state as the JSON object that Step Functions carries."""
    state: dict[str, Any] = msgspec.to_builtins(value)
    return state
