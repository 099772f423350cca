"""Jobs of one recipe, one after the other, that share an answer store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.job.manifest import UploadRecord
from batchdrop.report.summary import Summary
from tests.fakes import START
from tests.jobs import World

RECIPE = """
model: claude-haiku-5-5
prompt: 'ask {{ x }}'
remember: 90d
"""
DAY = timedelta(days=1)


class Jobs:
    """Each job is a file of the recipe `r`, in one bucket, with one API that counts what it answers."""

    def __init__(self, recipe: str = RECIPE, **world: Any) -> None:
        self.recipe = recipe
        self.world = World(**world)
        self.number = 0

    def drop(self, *values: str, recipe: str | None = None, at: datetime = START) -> World:
        """Drop a file with one column, `x`; return the world of its job."""
        self.number += 1
        key = f"inbox/r/f{self.number}.csv"
        body = "x\n" + "".join(f"{value}\n" for value in values)
        world = replace(self.world).drop(key, body.encode(), recipe=recipe or self.recipe)
        job_id = f"20261122T1200{self.number:02}-0123456789"
        world.upload = UploadRecord(job_id, "bucket", key, world.upload.etag, len(body), at)
        return world

    def run(self, *values: str, recipe: str | None = None, at: datetime = START) -> Summary:
        """Run a whole job; return its summary."""
        self.last = self.drop(*values, recipe=recipe, at=at)
        return self.last.run()

    def statuses(self) -> list[str]:
        """Return the status of each row of the last job's output."""
        return [line.rsplit(",", 2)[-2] for line in self.last.result("output.csv").decode().splitlines()[1:]]

    @property
    def sent(self) -> int:
        """Return how many requests all jobs sent as Message Batches."""
        return sum(len(msgspec.json.decode(body)["requests"]) for body in self.world.api.bodies.values())

    @property
    def answers(self) -> BucketAnswerStore:
        """Return the store."""
        return BucketAnswerStore(self.world.store)
