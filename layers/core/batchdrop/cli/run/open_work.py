"""What a stopped run has open at the API: read from its folder, without a stack."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.adapters.sqlite.ledger import NoShardFailures, SqliteLedger
from batchdrop.answers.tokens import Tokens
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.submission import Submission
from batchdrop.job.upload import results_prefix
from batchdrop.local.state_folder import StateFolder
from batchdrop.money.cost import dollars, shown_usd
from batchdrop.money.estimate import ROUNDING
from batchdrop.money.prices import effective

JOBS = "jobs/"


@dataclass(frozen=True, slots=True)
class OpenSubmission:
    """A create whose answers are not in the bucket. `worst_usd` is its highest cost; None if a price is unknown.

    `batch_id` None: it was sent, and its answer is not known.
    """

    job_id: str
    shard: int
    requests: int
    batch_id: str | None
    worst_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job in the folder. `status` is its summary's, which is written last; empty if it has none.

    `unanswered` counts its rows without a usable answer that a retry can send: none that was rejected.
    """

    manifest: Manifest
    status: str
    unanswered: int = 0

    @property
    def is_done(self) -> bool:
        """Return whether the job succeeded, and its outputs are complete."""
        return self.status == "succeeded"

    @property
    def job_id(self) -> str:
        """Return the job's id."""
        return self.manifest.upload.job_id


@dataclass(frozen=True, slots=True)
class StoredWork:
    """Everything that a folder knows about its jobs.

    `has_sent`: requests went to the API, or may have gone.
    """

    jobs: list[StoredJob]
    open: list[OpenSubmission]
    has_sent: bool

    @property
    def is_done(self) -> bool:
        """Return whether each job has ended, and none has open creates."""
        return bool(self.jobs) and not self.unfinished and not self.lost_jobs

    @property
    def retriable(self) -> list[StoredJob]:
        """Return the jobs that have rows to retry."""
        return [job for job in self.jobs if job.unanswered]

    @property
    def lost_jobs(self) -> list[str]:
        """Return the jobs with open creates whose files are not in the folder."""
        known = {job.job_id for job in self.jobs}
        return sorted({one.job_id for one in self.open} - known)

    @property
    def unfinished(self) -> list[StoredJob]:
        """Return the jobs without an end, or with an end and open creates."""
        open_jobs = {one.job_id for one in self.open}
        return [job for job in self.jobs if not job.status or job.job_id in open_jobs]

    @property
    def worst_usd(self) -> Decimal | None:
        """Return the highest cost of all that is open; None if a price is unknown."""
        costs = [one.worst_usd for one in self.open]
        return None if None in costs else sum((usd for usd in costs if usd is not None), Decimal(0))


def stored_work(state: StateFolder) -> StoredWork:
    """Read a folder that no stack uses."""
    jobs = [_stored_job(state, job_id) for job_id in _job_ids(state)]
    manifests = {job.job_id: job.manifest for job in jobs}
    submissions = _submissions(state)
    open_ones = [
        OpenSubmission(one.job_id, one.shard, one.requests, one.batch_id, _worst_usd(one, manifests.get(one.job_id)))
        for one in submissions
        if one.state != "armed" and one.collected_at is None
    ]
    is_live = any(job.manifest.cursor is None and job.manifest.lane == "live" for job in jobs)
    has_answers = bool(state.keys(JOBS, "answers"))
    return StoredWork(jobs, open_ones, bool(submissions) or is_live or has_answers)


def lines(work: StoredWork) -> list[str]:
    """Return what is open, in lines for the user."""
    known = [one for one in work.open if one.batch_id]
    unknown = [one for one in work.open if not one.batch_id]
    said = []
    if known:
        verb = "continues" if len(known) == 1 else "continue"
        said += [f"{_counted(len(known), 'Message Batch', 'Message Batches')} {verb} at the API:"]
        said += [f"  {one.batch_id}  shard {one.shard}, {_at_most(one)}" for one in known]
    if unknown:
        said += [f"{_counted(len(unknown), 'create', 'creates')} without an answer, which may be billed too:"]
        said += [f"  sent by shard {one.shard}, {_at_most(one)}" for one in unknown]
    if work.open:
        total = work.worst_usd
        said += ["what they may cost: " + ("a price is unknown" if total is None else f"{shown_usd(total)} at most")]
    if any(job.manifest.lane == "live" for job in work.jobs if not job.status):
        said += ["live requests without an answer yet may be billed, and are sent again"]
    return said or ["nothing is open at the API"]


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _at_most(one: OpenSubmission) -> str:
    cost = "price unknown" if one.worst_usd is None else f"{shown_usd(one.worst_usd)} at most"
    return f"{_counted(one.requests, 'request', 'requests')}, {cost}"


def _job_ids(state: StateFolder) -> list[str]:
    found = [*state.keys(JOBS, "manifest.json"), *state.keys(JOBS, "split.json")]
    return sorted({key.split("/")[1] for key in found})


def _stored_job(state: StateFolder, job_id: str) -> StoredJob:
    keys = JobKeys(job_id)
    body = state.read(keys.manifest) or state.read(keys.split) or b""
    manifest = msgspec.json.decode(body, type=Manifest)
    summary = state.read(f"{results_prefix(manifest.upload.key, job_id)}summary.json")
    fields: dict[str, Any] = msgspec.json.decode(summary) if summary else {}
    tally: dict[str, Any] = fields.get("tally") or {}
    return StoredJob(manifest, str(fields.get("status", "")), tally.get("unusable", 0) + tally.get("failed", 0))


def _submissions(state: StateFolder) -> list[Submission]:
    if not state.ledger_file.is_file():
        return []
    return SqliteLedger(FactFile(state.ledger_file), NoShardFailures()).submissions_of_all_jobs()


def _worst_usd(one: Submission, manifest: Manifest | None) -> Decimal | None:
    """Return the highest cost of a shard's requests in one round: the longest prompts, full answers, no cache reads."""
    if manifest is None or manifest.estimate is None:
        return None
    estimate, item = manifest.estimate, manifest.shards[one.shard]
    repeats = estimate.paid_answers if one.round_number else 1
    tokens = math.ceil(item.input_tokens * (1 + estimate.band)) + ROUNDING * item.requests
    costs = [
        dollars(
            [
                Tokens(
                    part.model,
                    long_prompt=part.step != "below",
                    lane="batch",
                    input=0 if part.cacheable else tokens,
                    cache_write_1h=tokens if part.cacheable else 0,
                    output=item.max_output_tokens * repeats,
                    geo=part.geo,
                    web_searches=math.ceil(part.searches * item.requests / max(1, part.requests)),
                )
            ],
            effective(manifest.prices),
        )
        for part in estimate.parts
    ]
    known = [usd for usd in costs if usd is not None]
    return max(known) if known and len(known) == len(costs) else None
