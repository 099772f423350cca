"""The duration of a job at each usage tier, and the limit that it meets first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from batchdrop.job.polling import MOST_WAITS
from benchmarks.scale.cost import BYTES_A_SECOND, cpu_by_row
from benchmarks.scale.job import HOUR, ScaleJob
from benchmarks.scale.stitch import stitched


class Tier(NamedTuple):
    """A usage tier of the Message Batches API: calls per minute, requests in the processing queue."""

    name: str
    rpm: int
    queue: int


TIERS = (Tier("Start", 1_000, 200_000), Tier("Build", 2_000, 300_000), Tier("Scale", 4_000, 500_000))


@dataclass(frozen=True)
class Took:
    """A job's hours at a tier, and what limits them."""

    hours: float
    bound_by: str


def at_tier(job: ScaleJob, tier: Tier) -> ScaleJob:
    """Return the job on a stack whose QueueRequests is the tier's."""
    return replace(job, queue_requests=tier.queue)


def took(job: ScaleJob) -> Took:
    """Return the duration of a job from its upload to its output."""
    ends = _split_hours(job) + close_seconds(job) / HOUR
    if job.lane == "live":
        hours, bound_by = _live(job)
    else:
        hours, bound_by = job.batch_hours * job.waves * (1 + _later_rounds(job)), _batch_bound(job)
    return Took(ends + hours, bound_by)


def close_seconds(job: ScaleJob) -> float:
    """Return the seconds that close_job takes to stitch the output."""
    return stitched(job).bytes_waited_for / BYTES_A_SECOND


def _later_rounds(job: ScaleJob) -> float:
    """Return the waves that later rounds add: few requests, but the time of a whole Message Batch."""
    return (job.rounds_asked - 1) / job.waves  # they overlap with the next wave's first round


def _batch_bound(job: ScaleJob) -> str:
    if job.waves == 1:
        return "a Message Batch's own time"
    if job.open_at_once == job.shard_concurrency:
        return "ShardConcurrency"
    return "processing queue" if job.most_turns < MOST_WAITS else "processing queue; shards wait longer than 15 days"


def _live(job: ScaleJob) -> tuple[float, str]:
    """Return hours and limit: the account's requests per minute, or the number of open requests."""
    name = "LiveConcurrency" if job.slices > job.live_concurrency else "an answer's own time"
    allowed, able = job.rate_allowed, job.rate_able
    rate, bound_by = (allowed, "requests a minute") if allowed < able else (able, name)
    return job.requests / rate / HOUR, bound_by


def _split_hours(job: ScaleJob) -> float:
    return job.rows * cpu_by_row().get("SplitUploadFunction", 0.0) / HOUR
