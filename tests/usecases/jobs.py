"""A whole job on fakes: the world of the use cases, and the state machine's part played by a few lines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import Manifest, UploadRecord
from batchdrop.domain.shard_state import ShardState
from batchdrop.domain.sharding import ShardLimits
from batchdrop.domain.submission import ShardFailure
from batchdrop.domain.summary import Fault, Summary
from batchdrop.errors import BatchdropError, SubmissionUncertain
from batchdrop.usecases.close_job import close_job
from batchdrop.usecases.collect_results import Collected, collect_results
from batchdrop.usecases.job_files import read_manifest
from batchdrop.usecases.poll_batch import PollAnswer, poll_batch
from batchdrop.usecases.resume_job import resume_job
from batchdrop.usecases.settle_submission import Settled, settle_submission
from batchdrop.usecases.split_upload import SplitProgress, split_upload
from batchdrop.usecases.submit_shard import Submitted, submit_shard
from tests.fakes import START, FakeBatchApi, FakeClock, FakeJobStarter, FakeLedger, FakeObjectStore

JOB = "20261122T120000-0123456789"
KEYS = JobKeys(JOB)
VISIBLE_AFTER = timedelta(minutes=5)
RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\n"


@dataclass
class World:
    """Everything a job touches. `rows` is how many go into a shard."""

    rows: int = 100_000
    max_bytes: int = 250_000_000
    live_rows: int = 0
    store: FakeObjectStore = field(default_factory=FakeObjectStore)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    api: FakeBatchApi = field(default_factory=FakeBatchApi)
    clock: FakeClock = field(default_factory=FakeClock)
    upload: UploadRecord = field(init=False)

    def drop(self, key: str, body: bytes, *, recipe: str | None = RECIPE) -> World:
        """Put the recipe and the file into the bucket."""
        if recipe is not None:
            self.store.write("recipes/r.yaml", recipe.encode())
        self.store.write(key, body)
        self.upload = UploadRecord(JOB, "bucket", key, self.store.etag(key), len(body), START)
        return self

    def split(self, *, looks: int | None = None) -> SplitProgress:
        """Run split_upload once; its time ends after so many looks at the clock."""
        return split_upload(
            self.upload,
            store=self.store,
            clock=FakeClock(looks=looks),
            formats=FileFormats(),
            limits=ShardLimits(max_rows=self.rows, max_bytes=self.max_bytes),
            time_reserve=60,
            live_rows=self.live_rows,
        )

    def submit(self, shard: int = 0, asked_round: int = 0, requests: int | None = None) -> Submitted:
        """Run submit_shard."""
        asked = self.manifest.shards[shard].requests if requests is None else requests
        return submit_shard(
            JOB, shard, asked_round, asked, store=self.store, ledger=self.ledger, api=self.api, clock=self.clock
        )

    def settle(self, shard: int = 0, asked_round: int = 0, *, is_last: bool = False) -> Settled:
        """Run settle_submission."""
        return settle_submission(
            JOB,
            shard,
            asked_round,
            ledger=self.ledger,
            api=self.api,
            clock=self.clock,
            visible_after=VISIBLE_AFTER,
            is_last=is_last,
        )

    def poll(self, batch_id: str, polls: int = 0) -> PollAnswer:
        """Run poll_batch."""
        return poll_batch(
            JOB, batch_id, polls, open_shards=1, ledger=self.ledger, api=self.api, clock=self.clock, jitter=lambda: 0.0
        )

    def collect(self, batch_id: str, shard: int = 0, asked_round: int = 0) -> Collected:
        """Run collect_results."""
        return collect_results(
            ShardState(
                job_id=JOB,
                shard=shard,
                shards=1,
                requests=0,
                expires_at=0,
                resumes=self.upload.resumes,
                round=asked_round,
                batch_id=batch_id,
            ),
            store=self.store,
            ledger=self.ledger,
            api=lambda: self.api,
            clock=self.clock,
            formats=FileFormats(),
            live_rows=self.live_rows,
        )

    def close(self, fault: Fault | None = None) -> Summary:
        """Run close_job."""
        return close_job(
            self.upload, fault, store=self.store, ledger=self.ledger, clock=self.clock, formats=FileFormats()
        )

    def run(self, *, looks: int | None = None) -> Summary:
        """Run the whole job as the state machine does; each shard's failure is recorded and the others go on."""
        while not self.split(looks=looks).finished:
            pass
        for item in self.shard_items:
            if item["requests"]:
                self.ask(item["shard"])
        return self.close()

    def resume(self) -> None:
        """Lift what stopped the job; the next `run` is that of the next execution."""
        self.upload = resume_job(self.upload, ledger=self.ledger, jobs=FakeJobStarter())

    def ask(self, shard: int = 0) -> None:
        """Ask one shard, round after round; its failure is recorded as the state machine does."""
        try:
            asked_round, requests = 0, self.manifest.shards[shard].requests
            while requests:
                submitted = self._submitted(shard, asked_round, requests)
                polls = 0
                while not submitted.is_collected and not self.poll(submitted.batch_id, polls).ended:
                    self.api.finish()
                    polls += 1
                requests = self.collect(submitted.batch_id, shard, asked_round).leftovers
                asked_round += 1
        except BatchdropError as error:
            cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            self.ledger.fail(JOB, ShardFailure(shard, type(error).__name__, cause))

    def _submitted(self, shard: int, asked_round: int, requests: int) -> Submitted:
        """Submit; while that is uncertain, wait and settle."""
        while True:
            try:
                return self.submit(shard, asked_round, requests)
            except SubmissionUncertain:
                while self.settle(shard, asked_round).verdict == "open":
                    self.clock.advance(60)
                    self.api.finish()

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands in the bucket."""
        manifest = read_manifest(self.store, JOB)
        assert manifest is not None
        return manifest

    @property
    def shard_items(self) -> list[dict[str, Any]]:
        """The Map's items."""
        items: list[dict[str, Any]] = json.loads(self.store.read(KEYS.shards))
        return items

    def requests(self, shard: int = 0, asked_round: int = 0) -> list[dict[str, Any]]:
        """The requests of one shard's create body."""
        body = self.store.read(KEYS.requests(shard, asked_round))
        requests: list[dict[str, Any]] = json.loads(body)["requests"]
        return requests

    def prompts(self, shard: int = 0) -> list[str]:
        """The prompts of one shard."""
        return [request["params"]["messages"][0]["content"] for request in self.requests(shard)]

    def stored_rows(self, shard: int = 0) -> list[dict[str, Any]]:
        """The rows kept beside one shard."""
        return [json.loads(line) for line in self.store.read(KEYS.rows(shard)).splitlines()]

    def result(self, name: str) -> bytes:
        """One of the job's output files."""
        [body] = [body for key, body in self.store.under("results/").items() if key.endswith(f"{JOB}/{name}")]
        return body


def reviews(count: int) -> bytes:
    """Return a CSV file with one column, `x`."""
    return b"x\n" + b"".join(b"row %d\n" % number for number in range(count))


def dropped(body: bytes, *, key: str = "inbox/r/f.csv", recipe: str | None = RECIPE, **limits: Any) -> World:
    """Return a world with a file in its inbox."""
    return World(**limits).drop(key, body, recipe=recipe)
