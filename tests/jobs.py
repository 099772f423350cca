"""A whole job on fakes: the world of the use cases, and the state machine's part played by a few lines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.admission.admission import MustWait, PlanAgain
from batchdrop.answer_store.bucket_store import BucketAnswerStore
from batchdrop.answer_store.ports import AnswerStore
from batchdrop.batch_lane.poll_batch import PollAnswer, poll_batch
from batchdrop.batch_lane.settle_submission import Settled, settle_submission
from batchdrop.batch_lane.submit_shard import Submitted, submit_shard
from batchdrop.errors import BatchdropError, SubmissionUncertain
from batchdrop.finish.close_job import close_job
from batchdrop.finish.collect_results import Collected, collect_results
from batchdrop.finish.ports import Pages
from batchdrop.job.job_files import read_manifest
from batchdrop.job.lane import deadline_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.resume_job import resume_job
from batchdrop.job.shard_state import ShardState
from batchdrop.job.submission import ShardFailure
from batchdrop.live_lane.plan_slices import SlicePlan, plan_slices
from batchdrop.live_lane.slice import Slice
from batchdrop.report.summary import Fault, Summary
from batchdrop.requests.sharding import ShardLimits
from batchdrop.split.split_upload import SplitProgress, split_upload
from tests.admission_fakes import FakeSharedStates, admission_of
from tests.fake_pages import FakePages
from tests.fakes import START, FakeBatchApi, FakeClock, FakeJobStarter, FakeLedger, FakeObjectStore
from tests.live_fakes import FakeLeases, FakeMessageApi
from tests.live_lane.slices import SliceWorld
from tests.virtual_time import run

JOB = "20261122T120000-0123456789"
KEYS = JobKeys(JOB)
VISIBLE_AFTER = timedelta(minutes=5)
RECIPE = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\n"


@dataclass
class World:
    """Everything a job touches. `rows` is how many go into a shard."""

    rows: int = 100_000
    max_bytes: int = 250_000_000
    max_answer_bytes: int = 4_000_000_000
    live_rows: int = 0
    poll_seconds: float = 0.0
    ends_by_itself: bool = True  # Message Batches end after the first look; else only once they are canceled
    messages: FakeMessageApi = field(default_factory=FakeMessageApi)
    leases: FakeLeases = field(default_factory=FakeLeases)
    store: FakeObjectStore = field(default_factory=FakeObjectStore)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    api: FakeBatchApi = field(default_factory=FakeBatchApi)
    clock: FakeClock = field(default_factory=FakeClock)
    states: FakeSharedStates = field(default_factory=FakeSharedStates)
    queue_requests: int = 200_000
    knows_models: bool = False
    pages: Pages = field(default_factory=FakePages)
    upload: UploadRecord = field(init=False)

    def __post_init__(self) -> None:
        """Show the ledger the leases: they are one table."""
        self.ledger.tries_of = self.leases.tries

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
            limits=ShardLimits(self.rows, self.max_bytes, self.max_answer_bytes),
            time_reserve=60,
            live_rows=self.live_rows,
            knows_models=self.knows_models,
            answers=self.answer_store,
        )

    def submit(
        self, shard: int = 0, round_number: int = 0, requests: int | None = None, *, deadline: int = 0
    ) -> Submitted:
        """Run submit_shard; there is always room for the round."""
        asked = self.manifest.shards[shard].requests if requests is None else requests
        state = msgspec.structs.replace(self.state(shard), round=round_number, requests=asked, deadline=deadline)
        submitted = self.submit_round(msgspec.structs.replace(state, lane="batch"))
        assert isinstance(submitted, Submitted)
        return submitted

    def submit_round(self, state: ShardState) -> Submitted | MustWait | PlanAgain:
        """Run submit_shard, with its admission."""
        parts: dict[str, Any] = {"store": self.store, "ledger": self.ledger, "clock": self.clock}
        admission = admission_of(state, states=self.states, limit=self.queue_requests, **parts)
        return submit_shard(state, api=self.api, admission=admission, **parts)

    def plan_round(self, state: ShardState) -> list[SlicePlan] | MustWait | PlanAgain:
        """Run plan_slices, with its admission."""
        admission = admission_of(
            state, store=self.store, ledger=self.ledger, states=self.states, clock=self.clock, limit=self.queue_requests
        )
        until = state.going_live(self.clock.now()).live_until
        parts: dict[str, Any] = {"store": self.store, "ledger": self.ledger, "clock": self.clock}
        return plan_slices(self.upload.job_id, state.shard, state.round, admission=admission, until=until, **parts)

    def settle(self, shard: int = 0, round_number: int = 0, *, is_last: bool = False) -> Settled:
        """Run settle_submission."""
        return settle_submission(
            self.upload.job_id,
            shard,
            round_number,
            ledger=self.ledger,
            api=self.api,
            clock=self.clock,
            visible_after=VISIBLE_AFTER,
            is_last=is_last,
        )

    def poll(self, batch_id: str, polls: int = 0, *, deadline: int = 0) -> PollAnswer:
        """Run poll_batch."""
        parts: dict[str, Any] = {"ledger": self.ledger, "api": self.api, "clock": self.clock}
        return poll_batch(
            self.upload.job_id, batch_id, polls, open_shards=1, deadline=deadline, jitter=lambda: 0.0, **parts
        )

    def collect(self, batch_id: str, shard: int = 0, round_number: int = 0) -> Collected:
        """Run collect_results on a Message Batch."""
        state = ShardState(
            job_id=self.upload.job_id,
            shard=shard,
            shards=1,
            requests=0,
            expires_at=0,
            resumes=self.upload.resumes,
            round=round_number,
            batch_id=batch_id,
        )
        return self.collect_round(state)

    def collect_round(self, state: ShardState) -> Collected:
        """Run collect_results."""
        return collect_results(
            state,
            store=self.store,
            ledger=self.ledger,
            api=lambda: self.api,
            clock=self.clock,
            formats=FileFormats(),
            states=self.states,
            live_rows=self.live_rows,
            answers=self.answer_store,
        )

    def answer_store(self) -> AnswerStore:
        """Return the answer store in the bucket."""
        return BucketAnswerStore(self.store)

    def state(self, shard: int = 0) -> ShardState:
        """Return a shard's first state, as the Map makes it."""
        item = self.manifest.shards[shard]
        return ShardState(
            job_id=self.upload.job_id,
            shard=shard,
            shards=len(self.manifest.shards),
            requests=item.requests,
            expires_at=0,
            resumes=self.upload.resumes,
            lane=self.shard_items[shard]["lane"],
            deadline=deadline_of(self.manifest.recipe, self.upload.uploaded_at),
        )

    def first_wave(self, shard: int = 0) -> ShardState:
        """Return a shard's state after its round 0, which sends nothing in a job that goes in waves."""
        state = self.state(shard)
        found = self.collect_round(state)
        return state.collected(leftovers=found.leftovers, lane=found.lane, worst_usd=found.worst_usd)

    def close(self, fault: Fault | None = None) -> Summary:
        """Run close_job."""
        return close_job(
            self.upload,
            fault,
            store=self.store,
            ledger=self.ledger,
            clock=self.clock,
            formats=FileFormats(),
            pages=self.pages,
            answers=self.answer_store,
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
        self.upload = resume_job(self.upload, ledger=self.ledger, jobs=FakeJobStarter(), now=self.clock.now())

    def ask(self, shard: int = 0) -> None:
        """Ask one shard, round after round; its failure is recorded as the state machine does."""
        try:
            state = self.state(shard)
            while state.requests:
                if state.lane == "live":
                    self.answer_live(state)
                else:
                    state = msgspec.structs.replace(state, batch_id=self._followed(state))
                collected = self.collect_round(state)
                state = state.collected(
                    leftovers=collected.leftovers,
                    lane=collected.lane,
                    worst_usd=collected.worst_usd,
                    escalates=collected.escalates,
                )
                if not collected.leftovers:
                    break
        except BatchdropError as error:
            cause = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            self.ledger.fail(self.upload.job_id, ShardFailure(shard, type(error).__name__, cause))

    def answer_live(self, state: ShardState) -> None:
        """Answer a round in the live lane, slice by slice."""
        plans = self.plan_round(state)
        assert isinstance(plans, list)
        for plan in plans:
            piece = Slice(
                self.upload.job_id,
                state.shard,
                state.round,
                plan.slice,
                plan.start,
                plan.end,
                plan.requests,
                betas=plan.betas,
            )
            world = SliceWorld(store=self.store, ledger=self.ledger, api=self.messages, leases=self.leases)
            world.piece = piece
            run(world.work(window=4))

    def _followed(self, state: ShardState) -> str:
        """Submit a round and poll it to its end; return the Message Batch's id."""
        submitted, polls = self._submitted(state), 0
        while not submitted.is_collected and not self.poll(submitted.batch_id, polls, deadline=state.deadline).ended:
            self.clock.advance(self.poll_seconds)
            if self.ends_by_itself or self.api.cancels:
                self.api.finish()
            polls += 1
        return submitted.batch_id

    def _submitted(self, state: ShardState) -> Submitted:
        """Submit; while that is uncertain, wait and settle."""
        while True:
            try:
                submitted = self.submit_round(msgspec.structs.replace(state, deadline=0))
            except SubmissionUncertain:
                while self.settle(state.shard, state.round).verdict == "open":
                    self.clock.advance(60)
                    self.api.finish()
            else:
                assert isinstance(submitted, Submitted)
                return submitted

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands in the bucket."""
        manifest = read_manifest(self.store, self.upload.job_id)
        assert manifest is not None
        return manifest

    @property
    def shard_items(self) -> list[dict[str, Any]]:
        """The Map's items."""
        items: list[dict[str, Any]] = json.loads(self.store.read(JobKeys(self.upload.job_id).shards))
        return items

    def requests(self, shard: int = 0, round_number: int = 0) -> list[dict[str, Any]]:
        """The requests of one shard's create body."""
        body = self.store.read(JobKeys(self.upload.job_id).requests(shard, round_number))
        requests: list[dict[str, Any]] = json.loads(body)["requests"]
        return requests

    def prompts(self, shard: int = 0) -> list[str]:
        """The prompts of one shard."""
        return [request["params"]["messages"][0]["content"] for request in self.requests(shard)]

    def stored_rows(self, shard: int = 0) -> list[dict[str, Any]]:
        """The rows kept beside one shard."""
        return [json.loads(line) for line in self.store.read(JobKeys(self.upload.job_id).rows(shard)).splitlines()]

    def result(self, name: str) -> bytes:
        """One of the job's output files."""
        [body] = [
            body for key, body in self.store.under("results/").items() if key.endswith(f"{self.upload.job_id}/{name}")
        ]
        return body


def reviews(count: int) -> bytes:
    """Return a CSV file with one column, `x`."""
    return b"x\n" + b"".join(b"row %d\n" % number for number in range(count))


def dropped(body: bytes, *, key: str = "inbox/r/f.csv", recipe: str | None = RECIPE, **limits: Any) -> World:
    """Return a world with a file in its inbox."""
    return World(**limits).drop(key, body, recipe=recipe)
