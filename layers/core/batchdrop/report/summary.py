"""What a finished job says of itself: `summary.json`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.money.cost import CostParts, PriceTable, cost_parts
from batchdrop.money.estimate import LANES
from batchdrop.money.estimate_block import EstimateBlock
from batchdrop.recipe.lane import Lane
from batchdrop.report.tally import Tally


class Fault(msgspec.Struct, frozen=True):
    """Why a job, or one shard of it (`shard` set), failed. `type` is an error's name; `message` says what to do."""

    type: str
    message: str
    shard: int | None = None


class _LambdaCause(msgspec.Struct, frozen=True):
    """What Step Functions hands on when a function raised."""

    errorMessage: str  # noqa: N815 - AWS's spelling


def fault_of(error: str, cause: str, shard: int | None = None) -> Fault:
    """Return the fault behind a caught error; a function's own message is taken out of the cause's JSON."""
    try:
        return Fault(error, msgspec.json.decode(cause, type=_LambdaCause).errorMessage, shard)
    except msgspec.DecodeError:
        return Fault(error, cause, shard)


class TallyBlock(msgspec.Struct, frozen=True):
    """rows = answered + failed + rejected. `statuses` counts the output's `_status` column.

    `shared` of the answered rows asked the same as another row, and have its answer; they cost nothing.
    """

    rows: int
    answered: int
    failed: int
    rejected: int
    shared: int
    statuses: dict[str, int]


class CostBlock(msgspec.Struct, frozen=True):
    """Dollars from real usage, each answer at its lane's price; `usd` is null where a model's price is not known.

    `prices_of` is the day of the price table, `source` where it is from; of the user's own, too, where there is one.
    """

    usd: Decimal | None
    prices_of: str
    source: str = ""


class LaneBlock(msgspec.Struct, frozen=True):
    """What one lane answered, and what that cost; answers that were asked again count each time they were paid.

    `parts` are the same dollars by what they were paid for, `cache_writes` and `cache_reads` are tokens.
    """

    lane: Lane
    answers: int
    usd: Decimal | None
    parts: CostParts | None = None
    input: int = 0
    output: int = 0
    cache_writes: int = 0
    cache_reads: int = 0


class TimingBlock(msgspec.Struct, frozen=True):
    """When what happened, UTC; seconds from upload to end, and of splitting alone.

    `closed_from` is when the closing began that wrote this summary.
    """

    uploaded_at: datetime
    split_ended_at: datetime | None
    closed_from: datetime
    finished_at: datetime
    split_seconds: float
    total_seconds: float


class OutputBlock(msgspec.Struct, frozen=True):
    """Keys of the files beside this one; null where there was nothing to write."""

    output: str | None
    failed: str | None
    report: str | None = None


class MessageBatchBlock(msgspec.Struct, frozen=True):
    """One submission: which Message Batch answered which shard. `id` is null where no one knows.

    `sent_at` is when it was created, `collected_at` when its answers were in the bucket.
    """

    shard: int
    round: int
    requests: int
    id: str | None
    sent_at: datetime | None = None
    collected_at: datetime | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A job's end. Its status is `failed` when the job, or any shard as a whole, failed; rows may fail in a success.

    `results` is the prefix of the outputs' keys.
    """

    job_id: str
    status: Literal["succeeded", "failed", "canceled"]
    input: str
    bytes: int
    results: str
    model: str | None
    lanes: list[LaneBlock]
    shards: int
    tally: TallyBlock
    tokens: list[Tokens]
    cost: CostBlock
    estimate: EstimateBlock | None = None
    timings: TimingBlock
    outputs: OutputBlock
    message_batches: list[MessageBatchBlock]
    faults: list[Fault]


def lane_blocks(tokens: list[Tokens], prices: PriceTable | None = None) -> list[LaneBlock]:
    """Return what each lane answered."""
    by_lane = {lane: [counted for counted in tokens if counted.lane == lane] for lane in LANES}
    return [_lane_block(lane, own, cost_parts(own, prices)) for lane, own in by_lane.items() if own]


def _lane_block(lane: Lane, tokens: list[Tokens], parts: CostParts | None) -> LaneBlock:
    return LaneBlock(
        lane,
        sum(counted.answers for counted in tokens),
        None if parts is None else parts.usd,
        parts,
        input=sum(counted.input for counted in tokens),
        output=sum(counted.output for counted in tokens),
        cache_writes=sum(counted.cache_write_5m + counted.cache_write_1h for counted in tokens),
        cache_reads=sum(counted.cache_read for counted in tokens),
    )


def tally_block(tally: Tally) -> TallyBlock:
    """Return a tally as the summary shows it."""
    return TallyBlock(tally.rows, tally.answered, tally.failed, tally.rejected, tally.shared, tally.statuses)
