"""What the state machine carries for one shard: pointers and counters, a few hundred bytes."""

from __future__ import annotations

from typing import Any

import msgspec


class ShardState(msgspec.Struct, frozen=True):
    """The state of one shard's child execution. Shards, rounds and polls count from 0.

    `shards` is how many the job has; `expires_at` (Unix seconds) is for the ledger.
    """

    job_id: str
    shard: int
    shards: int
    requests: int
    expires_at: int
    round: int = 0
    batch_id: str = ""
    polls: int = 0
    wait_seconds: int = 0
    ended: bool = False

    def submitted(self, batch_id: str, *, wait_seconds: int) -> ShardState:
        """Return the state after the submission."""
        return msgspec.structs.replace(self, batch_id=batch_id, polls=0, wait_seconds=wait_seconds, ended=False)

    def polled(self, *, ended: bool, wait_seconds: int) -> ShardState:
        """Return the state after one more poll."""
        return msgspec.structs.replace(self, polls=self.polls + 1, wait_seconds=wait_seconds, ended=ended)


def as_state(value: ShardState) -> dict[str, Any]:
    """Return a state as the JSON object that Step Functions carries."""
    state: dict[str, Any] = msgspec.to_builtins(value)
    return state
