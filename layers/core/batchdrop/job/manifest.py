"""The manifest: what a job is, and how far its split has come."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.answers.columns import Column
from batchdrop.money.estimate import Estimate
from batchdrop.money.prices import PriceTable
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.row import Cursor


class UploadRecord(msgspec.Struct, frozen=True):
    """The S3 object the job answers. Also the input of the job's execution; `resumes` counts those before this one."""

    job_id: str
    bucket: str
    key: str
    etag: str
    size: int
    uploaded_at: datetime
    resumes: int = 0

    @property
    def execution_name(self) -> str:
        """Return the name of the execution that this is the input of: one name, one execution."""
        return f"{self.job_id}-r{self.resumes}" if self.resumes else self.job_id


class ShardItem(msgspec.Struct, frozen=True):
    """One shard, as the manifest keeps it. `requests` is rows minus rejects and duplicates.

    `input_tokens` is what its requests are estimated to hold, `max_output_tokens` what their answers may hold at most.
    `worst_usd` is what they may cost at most at the standard price, where the recipe has a `max_cost_usd`; else 0.
    """

    shard: int
    rows: int
    requests: int
    bytes: int
    input_tokens: int = 0
    max_output_tokens: int = 0
    worst_usd: Decimal = Decimal(0)


class MapItem(msgspec.Struct, frozen=True):
    """One shard, as the Distributed Map reads it. `shards` is how many the job has, `lane` its first round's.

    The lane stands here, written once, so that every execution of the job asks a round by the same one.
    """

    shard: int
    shards: int
    requests: int
    lane: Lane


class Manifest(msgspec.Struct, kw_only=True):
    """A job. `columns` are the input's own; `recipe` is None for ready-made requests.

    `header` is what the input's format needs to know again of the file's beginning. `schema` is what the file that the
    recipe's `answer` names holds. `cursor` is where the split goes on; None once the whole file is split. `estimate` is
    of the shards so far, `prices` the user's own price table when the split began, `lane` the first round's.
    """

    upload: UploadRecord
    format: str
    recipe: Recipe | None
    header: str = ""
    columns: list[Column] = []
    schema: Any = None
    shards: list[ShardItem] = []
    cursor: Cursor | None = Cursor()
    split_seconds: float = 0.0
    split_ended_at: datetime | None = None
    estimate: Estimate | None = None
    prices: PriceTable | None = None
    lane: Lane = "batch"

    @property
    def rows(self) -> int:
        """Return the number of rows split so far."""
        return sum(shard.rows for shard in self.shards)

    @property
    def requests(self) -> int:
        """Return the number of requests split so far."""
        return sum(shard.requests for shard in self.shards)
