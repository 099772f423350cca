"""The progress of a running job: the last report of each shard, and their sums."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from batchdrop.recipe.lane import Lane

Stage = Literal["asked", "collected"]


class ShardProgress(msgspec.Struct, frozen=True):
    """The last report of one shard, made `at` this time.

    Stage `asked`: the API has `requests` of this round (from 0), and has not yet answered `processing` of them. Stage
    `collected`: the shard's part is written, with `answered`, `unusable` and `failed` rows
    (rejects count as failed).
    """

    shard: int
    stage: Stage
    round: int
    lane: Lane
    at: datetime
    requests: int = 0
    processing: int = 0
    answered: int = 0
    unusable: int = 0
    failed: int = 0
    batch_id: str = ""

    @property
    def is_live(self) -> bool:
        """Return whether the live lane is answering the shard's requests."""
        return self.lane == "live" and self.stage == "asked"

    def less(self, done: int) -> ShardProgress:
        """Return the progress with `done` more requests answered."""
        return msgspec.structs.replace(self, processing=max(0, self.processing - done))


class JobProgress(msgspec.Struct, frozen=True):
    """A running job at a time. `rows` and `shards` count all; `failed_shards` ended with an error."""

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
        """Return the number of shards that have reported nothing yet."""
        return max(0, self.shards - len({one.shard for one in self.noted} | set(self.failed_shards)))

    @property
    def rows_done(self) -> int:
        """Return the number of rows with a final fate, or with an answer that the API has counted."""
        done = sum(one.answered + one.unusable + one.failed for one in self.collected)
        return done + sum(one.requests - one.processing for one in self.asked)

    @property
    def round(self) -> int:
        """Return the highest round that any shard is in, counted from 1."""
        return max((one.round for one in self.noted), default=0) + 1
