"""Places in the API's processing queue, kept in the ledger for the shards of all jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import msgspec

from batchdrop.admission.batch_queue_state import Candidate, Claim, QueueState, leave, request_place, round_name
from batchdrop.admission.ports import Changed, SharedStates
from batchdrop.ports import Clock

QUEUE_PLACE_KEPT = timedelta(hours=26)  # ours: after it, a Message Batch has expired (24 h) or was never created

QUEUE = ("processing_queue", "places")
SLACK = 180  # seconds that a waiting round may be late, for retries and slow starts

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class QueuePlaces:
    """The processing queue; all jobs together may have `limit` requests in it. Writes raise LedgerContended."""

    states: SharedStates
    clock: Clock
    limit: int

    def take(self, job_id: str, shard: int, round_number: int, *, requests: int, wait_seconds: int) -> bool:
        """Take or keep a place for a round. Return False if it must wait; it then tries again after `wait_seconds`."""
        now = int(self.clock.now().timestamp())
        place = Claim(requests, now + int(QUEUE_PLACE_KEPT.total_seconds()))
        candidate = Candidate(
            round_name(job_id, shard, round_number), place, Claim(requests, now + wait_seconds + SLACK)
        )
        return self._change(partial(_admitted, candidate=candidate, now=now, limit=self.limit))

    def leave(self, job_id: str, shard: int, round_number: int) -> None:
        """Leave a round's place: its Message Batch has ended, or was never created."""
        self._change(partial(_left, prefix=round_name(job_id, shard, round_number)))

    def leave_all(self, job_id: str) -> None:
        """Leave all places of a job that is closed."""
        self._change(partial(_left, prefix=f"{job_id}/"))

    def state(self) -> QueueState:
        """Return the places and the line."""
        return _queue(self.states.read(*QUEUE))

    def _change(self, change: partial[Changed[Result]]) -> Result:
        return self.states.change(*QUEUE, change, at=self.clock.now())


def _admitted(text: bytes | None, *, candidate: Candidate, now: int, limit: int) -> Changed[bool]:
    state, is_admitted = request_place(_queue(text), candidate, now=now, limit=limit)
    return msgspec.json.encode(state), is_admitted


def _left(text: bytes | None, *, prefix: str) -> Changed[None]:
    return (None if text is None else msgspec.json.encode(leave(_queue(text), prefix))), None


def _queue(text: bytes | None) -> QueueState:
    return QueueState() if text is None else msgspec.json.decode(text, type=QueueState)
