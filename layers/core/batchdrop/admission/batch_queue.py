"""Places in the API's processing queue, taken and left in the ledger by the shards of all jobs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec

from batchdrop.admission.batch_queue_state import Claim, QueueState, Wish, ask, leave, round_name
from batchdrop.admission.ports import Changed, SharedStates
from batchdrop.limits import QUEUE_PLACE_KEPT
from batchdrop.ports import Clock

QUEUE = ("processing_queue", "places")
SLACK = 180  # seconds that one who waits may be late: a function that is repeated, a start that takes long

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class QueuePlaces:
    """The processing queue; all jobs may have `limit` requests in it. Methods that write raise LedgerContended."""

    states: SharedStates
    clock: Clock
    limit: int

    def take(self, job_id: str, shard: int, asked_round: int, *, requests: int, wait_seconds: int) -> bool:
        """Take a place for a round, or keep its own. False: it is not its turn yet, and it comes back so much later."""
        now = int(self.clock.now().timestamp())
        place = Claim(requests, now + int(QUEUE_PLACE_KEPT.total_seconds()))
        wish = Wish(round_name(job_id, shard, asked_round), place, Claim(requests, now + wait_seconds + SLACK))
        return self._change(partial(_asked, wish=wish, now=now, limit=self.limit))

    def leave(self, job_id: str, shard: int, asked_round: int) -> None:
        """Leave a round's place: its Message Batch has ended, or there will be none."""
        self._change(partial(_left, prefix=round_name(job_id, shard, asked_round)))

    def leave_all(self, job_id: str) -> None:
        """Leave all places of a job that is closed."""
        self._change(partial(_left, prefix=f"{job_id}/"))

    def state(self) -> QueueState:
        """Return who has a place, and who waits."""
        return _queue(self.states.read(*QUEUE))

    def _change(self, change: partial[Changed[Result]]) -> Result:
        return self.states.change(*QUEUE, change, at=self.clock.now())


def _asked(text: bytes | None, *, wish: Wish, now: int, limit: int) -> Changed[bool]:
    state, is_admitted = ask(_queue(text), wish, now=now, limit=limit)
    return msgspec.json.encode(state), is_admitted


def _left(text: bytes | None, *, prefix: str) -> Changed[None]:
    return (None if text is None else msgspec.json.encode(leave(_queue(text), prefix))), None


def _queue(text: bytes | None) -> QueueState:
    return QueueState() if text is None else msgspec.json.decode(text, type=QueueState)
