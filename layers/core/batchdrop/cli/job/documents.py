"""A job's own documents in the bucket, read as far as commands need them: also those of older and newer versions."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.cli.bucket import Files, read_if_there
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem, UploadRecord

Summary = dict[str, Any]  # summary.json, as it is; dollars are Decimal


class SplitSoFar(msgspec.Struct, frozen=True):
    """How far a job's file is split: the manifest, its recipe as it is. `cursor` is None once all is split."""

    upload: UploadRecord
    shards: list[ShardItem] = []
    cursor: dict[str, Any] | None = {}
    split_ended_at: datetime | None = None
    recipe: dict[str, Any] | None = None

    @property
    def is_sampled(self) -> bool:
        """Tell whether the job shows a sample first."""
        return bool(self.recipe and self.recipe.get("sample"))

    @property
    def rows(self) -> int:
        """Return the rows that were split."""
        return sum(shard.rows for shard in self.shards)


def read_split(files: Files, job_id: str) -> SplitSoFar | None:
    """Return how far a job's file is split; None while nothing is saved."""
    keys = JobKeys(job_id)
    body = read_if_there(files, keys.manifest) or read_if_there(files, keys.split)
    return None if body is None else msgspec.json.decode(body, type=SplitSoFar)


def read_summary(files: Files, results: str) -> Summary | None:
    """Return a job's summary; None while there is none. `results` is the prefix of its outputs."""
    body = read_if_there(files, f"{results}summary.json")
    if body is None:
        return None
    summary: Summary = json.loads(body, parse_float=Decimal)
    return summary
