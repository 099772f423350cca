"""The tasks of a shard on slow Message Batches, and the walk of a shard through the real definition."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from batchdrop.batch_lane.poll_batch import poll_batch
from batchdrop.job.polling import (
    poll_seconds,
    turn_seconds,
)
from batchdrop.job.shard_state import ShardState, as_state
from batchdrop.limits import BATCH_LIFETIME
from tests.asl.walker import TaskError, Walk, Walker
from tests.bodies import create_body
from tests.fakes import FakeBatchApi, FakeClock, FakeLedger
from tests.project import definition

DAY = BATCH_LIFETIME.total_seconds()
CHILD: dict[str, Any] = definition()["States"]["Send every shard"]["ItemProcessor"]


UNSETTLED = TaskError("SubmissionUnsettled", json.dumps({"errorMessage": "why", "errorType": "SubmissionUnsettled"}))


class SlowService:
    """The tasks of a shard, on Message Batches that end when they expire, `rounds` of them. Counts the API's calls."""

    def __init__(self, *, jitter: float, open_shards: int = 1, ends_after: float = DAY, rounds: int = 1) -> None:
        self.api = FakeBatchApi(result_of=lambda _request: {"type": "expired"})
        self.elapsed = 0.0
        self.settled: Callable[[ShardState], str] = lambda _state: "open"
        self._submitted_at = 0.0
        self.turn_after = 0.0
        self.waits = 0
        self._rounds = rounds
        self.calls = 0
        self.fail: Callable[[str], None] = lambda _resource: None
        self._jitter = jitter
        self._open_shards = open_shards
        self._ends_after = ends_after

    def wait(self, seconds: float) -> None:
        """Move the clock; the Message Batch ends when its time has come."""
        self.elapsed += seconds
        if self.elapsed >= self._submitted_at + self._ends_after:
            self.api.finish()

    def task(self, resource: str, given: Any) -> dict[str, Any]:
        """Do what the function of that name does, between its JSON and the use case."""
        self.fail(resource)
        state = msgspec.convert(given, ShardState)
        match resource:
            case "${SubmitShardFunctionArn}":
                if self.elapsed < self.turn_after or state.waits < self.waits:
                    return as_state(state.waiting("queue", wait_seconds=turn_seconds(state.waits, jitter=self._jitter)))
                self.calls += 1
                batch = self.api.create(create_body(state.requests), timeout=1)
                self._submitted_at = self.elapsed
                first = poll_seconds(0, open_shards=1, jitter=self._jitter)
                return as_state(state.submitted(batch.id, is_collected=False, wait_seconds=first))
            case "${SettleSubmissionFunctionArn}":
                self.calls += 1
                verdict = self.settled(state)
                if verdict == "open" and state.is_last_look:
                    raise UNSETTLED
                batch_id = self._adopted(state) if verdict == "accepted" else ""
                return as_state(state.looked(verdict, batch_id=batch_id))
            case "${PollBatchFunctionArn}":
                self.calls += 1
                return self._poll(state)
            case "${CollectResultsFunctionArn}":
                self.calls += 2
                return as_state(state.collected(leftovers=state.requests if state.round + 1 < self._rounds else 0))
        raise AssertionError(resource)

    def _adopted(self, state: ShardState) -> str:
        return self.api.create(create_body(state.requests), timeout=1).id

    def _poll(self, state: ShardState) -> dict[str, Any]:
        answer = poll_batch(
            state.job_id,
            state.batch_id,
            state.polls,
            open_shards=self._open_shards,
            round_number=state.round,
            ledger=FakeLedger(),
            api=self.api,
            clock=FakeClock(),
            jitter=lambda: self._jitter,
        )
        return as_state(state.polled(ended=answer.ended, wait_seconds=answer.wait_seconds))


def walked(service: SlowService, *, requests: int = 3, shards: int = 1) -> Walk:
    """Return the walk of a shard through the real definition."""
    walker = Walker(CHILD["States"], service.task, service.wait)
    return walker.run(CHILD["StartAt"], item_of(requests=requests, shards=shards))


def item_of(*, requests: int, shards: int) -> dict[str, Any]:
    """Return a child's input as the Map's ItemSelector makes it, its largest numbers in it."""
    selected = {"job_id": "20261122T120000-4bf8ca0f23", "expires_at": 1_798_372_800, "shard": shards - 1}
    item = {**selected, "shards": shards, "requests": requests, "resumes": 99, "wait_seconds": 60}
    item |= {"lane": "batch", "deadline": 0, "leave_at": 0, "marks": "batch"}
    selector = definition()["States"]["Send every shard"]["ItemSelector"]
    assert item.keys() == {name.removesuffix(".$") for name in selector}
    return item
