"""How far a running job has come: what each shard's last function saw, and what that adds up to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from batchdrop.recipe.lane import Lane

Stage = Literal["asked", "collected"]


class ShardProgress(msgspec.Struct, frozen=True):
    """One shard, as its last function saw it `at` that time.

    `asked`: so many `requests` of this round (from 0) are with the API, of which it has still to answer `processing`.
    `collected`: its part of the output is written; `answered` and `failed` rows (rejects are counted as failed).
    """

    shard: int
    stage: Stage
    round: int
    lane: Lane
    at: datetime
    requests: int = 0
    processing: int = 0
    answered: int = 0
    failed: int = 0
    batch_id: str = ""

    @property
    def is_live(self) -> bool:
        """Tell whether the shard's requests are with the Messages API."""
        return self.stage == "asked" and self.lane == "live"

    def less(self, done: int) -> ShardProgress:
        """Return what is left when so many requests are done."""
        return msgspec.structs.replace(self, processing=max(0, self.processing - done))


class JobProgress(msgspec.Struct, frozen=True):
    """A running job at a time. `rows` and `shards` are all; `failed_shards` those whose execution ended by an error."""

    at: datetime
    rows: int
    shards: int
    noted: list[ShardProgress]
    failed_shards: list[int]

    @property
    def collected(self) -> list[ShardProgress]:
        """Return the shards that are done."""
        return [one for one in self.noted if one.stage == "collected" and one.shard not in self.failed_shards]

    @property
    def asked(self) -> list[ShardProgress]:
        """Return the shards whose requests are with the API."""
        return [one for one in self.noted if one.stage == "asked" and one.shard not in self.failed_shards]

    @property
    def waiting(self) -> int:
        """Return how many shards were not asked yet, as far as is known."""
        return max(0, self.shards - len({one.shard for one in self.noted} | set(self.failed_shards)))

    @property
    def rows_done(self) -> int:
        """Return how many rows have their last word, or an answer that the API has counted."""
        done = sum(one.answered + one.failed for one in self.collected)
        return done + sum(one.requests - one.processing for one in self.asked)

    @property
    def round(self) -> int:
        """Return the highest round that any shard is in, counted from 1."""
        return max((one.round for one in self.noted), default=0) + 1
