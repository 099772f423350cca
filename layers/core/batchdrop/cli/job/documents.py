"""Read a job's documents leniently, so that documents of older and newer versions work, too."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.cli.bucket import Files, read_if_there
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import ShardItem, UploadRecord
from batchdrop.report.going_on import TOO_FEW

Summary = dict[str, Any]  # summary.json unchanged; dollars are Decimal


class SplitSoFar(msgspec.Struct, frozen=True):
    """The progress of a job's split: parts of the manifest, with the recipe as stored. `cursor` is None at the end."""

    upload: UploadRecord
    shards: list[ShardItem] = []
    cursor: dict[str, Any] | None = {}
    split_ended_at: datetime | None = None
    recipe: dict[str, Any] | None = None
    waves: bool = False
    blocks: list[ShardItem] = []

    @property
    def starts_empty(self) -> bool:
        """Return whether later rounds have requests that no earlier one had: in waves, and with packs."""
        return self.waves or bool(self.recipe and self.recipe.get("pack"))

    @property
    def is_sampled(self) -> bool:
        """Return whether the job answers a sample first."""
        return bool(self.recipe and self.recipe.get("sample"))

    @property
    def rows(self) -> int:
        """Return the number of rows that were split."""
        return sum(shard.rows for shard in self.blocks or self.shards[self.draws_sample :])

    @property
    def draws_sample(self) -> bool:
        """Return whether the first shard is a random sample, whose rows stand in other shards, too."""
        sample = self.recipe.get("sample") if self.recipe else None
        return isinstance(sample, dict) and bool(sample.get("random"))


_SPLIT = msgspec.json.Decoder(SplitSoFar)  # made before the threads of `ls`, which crash if two are the first


def read_split(files: Files, job_id: str) -> SplitSoFar | None:
    """Return the progress of a job's split; None before the first save."""
    keys = JobKeys(job_id)
    body = read_if_there(files, keys.manifest) or read_if_there(files, keys.split)
    return None if body is None else _SPLIT.decode(body)


def read_summary(files: Files, results: str) -> Summary | None:
    """Return a job's summary; None if it has none yet. `results` is the prefix of its outputs."""
    body = read_if_there(files, f"{results}summary.json")
    if body is None:
        return None
    summary: Summary = json.loads(body, parse_float=Decimal)
    return summary


def has_too_few(summary: Summary | None) -> bool:
    """Return whether a job failed although each row has ended, because too few have an answer: a resume sends none."""
    return summary is not None and any(fault["type"] in TOO_FEW for fault in summary["faults"][:1])
