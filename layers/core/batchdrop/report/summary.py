"""A finished job's `summary.json`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from batchdrop.answers.outcome import REMEMBERED
from batchdrop.answers.tokens import Tokens
from batchdrop.money.cache_block import CacheBlock
from batchdrop.money.cost import CostParts, PriceTable, cost_parts, dollars
from batchdrop.money.estimate import LANES
from batchdrop.money.estimate_block import EstimateBlock
from batchdrop.recipe.lane import Lane
from batchdrop.report.escalated import EscalationBlock
from batchdrop.report.gold_block import GoldBlock
from batchdrop.report.pack_block import PackBlock
from batchdrop.report.tally import Tally


class Fault(msgspec.Struct, frozen=True):
    """The reason why a job, or its shard `shard`, failed. `type` is an error name; `message` says what to do."""

    type: str
    message: str
    shard: int | None = None


class _LambdaCause(msgspec.Struct, frozen=True):
    """The cause that Step Functions passes on when a function raised."""

    errorMessage: str  # noqa: N815 - AWS's spelling


def fault_of(error: str, cause: str, shard: int | None = None) -> Fault:
    """Return the fault of a caught error; a function's message is extracted from the cause's JSON."""
    try:
        return Fault(error, msgspec.json.decode(cause, type=_LambdaCause).errorMessage, shard)
    except msgspec.DecodeError:
        return Fault(error, cause, shard)


class TallyBlock(msgspec.Struct, frozen=True):
    """rows = answered + unusable + failed + rejected. `statuses` counts the output's `_status` column.

    `unusable` counts paid answers that are invalid, cut, refused or empty. `shared` counts the rows that share the
    answer of an identical request; they cost nothing.
    """

    rows: int
    answered: int
    unusable: int
    failed: int
    rejected: int
    shared: int
    statuses: dict[str, int]


class RememberedBlock(msgspec.Struct, frozen=True):
    """Rows that the answer store answered: they cost nothing.

    `saved_usd` is what their answers cost when they were paid, each counted once; null if a price is not known.
    """

    rows: int
    saved_usd: Decimal | None


class CostBlock(msgspec.Struct, frozen=True):
    """Dollars from real usage, each answer at its lane's price; `usd` is null if a model's price is not known.

    `prices_of` is the date of the price table, `source` its source; both include the user's own table, if any.
    """

    usd: Decimal | None
    prices_of: str
    source: str = ""


class PerhapsPaidBlock(msgspec.Struct, frozen=True):
    """Requests that may be paid although no answer shows it: the bill may be up to `worst_usd` above the cost.

    `rows` are those of perhaps-paid.jsonl. `requests` differ from them: rows can share a request, and a row can have an
    earlier answer. `worst_usd` is null if a model's price is not known.
    """

    rows: int = 0
    requests: int = 0
    worst_usd: Decimal | None = Decimal(0)


class LaneBlock(msgspec.Struct, frozen=True):
    """The answers of one lane, and their cost; a repeated answer counts each time it was paid.

    `parts` are the same dollars, by what was paid for. `cache_writes` (of both kinds) and `cache_reads` are tokens.
    """

    lane: Lane
    answers: int
    usd: Decimal | None
    parts: CostParts | None = None
    input: int = 0
    output: int = 0
    cache_writes: int = 0
    cache_reads: int = 0
    cache_writes_5m: int = 0
    cache_writes_1h: int = 0
    web_searches: int = 0


class TimingBlock(msgspec.Struct, frozen=True):
    """Times in UTC; seconds from upload to end, and of splitting alone.

    `closed_from` is the start of the closing that wrote this summary.
    """

    uploaded_at: datetime
    split_ended_at: datetime | None
    closed_from: datetime
    finished_at: datetime
    split_seconds: float
    total_seconds: float


class PilotBlock(msgspec.Struct, frozen=True):
    """The job's first request, sent alone: whether it has an answer, and after how many seconds it came."""

    is_answered: bool = False
    seconds: float | None = None


class OutputBlock(msgspec.Struct, frozen=True):
    """Keys of the files beside this one; null for files that were not written."""

    output: str | None
    failed: str | None
    report: str | None = None
    perhaps_paid: str | None = None
    answers: str | None = None


class MessageBatchBlock(msgspec.Struct, frozen=True):
    """One submission: a shard's round and its Message Batch. `id` is null if it is not known.

    `sent_at` is when the Message Batch was created, `collected_at` when its answers were in the bucket.
    """

    shard: int
    round: int
    requests: int
    id: str | None
    sent_at: datetime | None = None
    collected_at: datetime | None = None


class RetryBlock(msgspec.Struct, frozen=True):
    """What a later version sent again: `rows` of the version before it, for `usd`. The other blocks are of the job."""

    rows: int
    usd: Decimal | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A closed job. Its status is `failed` if the job or a whole shard failed; single rows may fail in a success.

    `results` is the prefix of the outputs' keys. `notes` says what was found in the file that is not plain from its
    name, which rows went first if they were drawn at random, and what the output could not keep. `gold` compares
    answers with the truth of some rows. `version` counts the job's outputs: each retry writes one more.
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
    perhaps_paid: PerhapsPaidBlock = PerhapsPaidBlock()
    estimate: EstimateBlock | None = None
    cache: CacheBlock | None = None
    packs: PackBlock | msgspec.UnsetType = msgspec.UNSET
    remembered: RememberedBlock | msgspec.UnsetType = msgspec.UNSET
    pilot: PilotBlock | None = None
    escalation: EscalationBlock | None = None
    gold: list[GoldBlock] | msgspec.UnsetType = msgspec.UNSET
    timings: TimingBlock
    outputs: OutputBlock
    message_batches: list[MessageBatchBlock]
    faults: list[Fault]
    notes: list[str] = []
    version: int = 1
    retry: RetryBlock | None = None


def lane_blocks(tokens: list[Tokens], prices: PriceTable | None = None) -> list[LaneBlock]:
    """Return the answers and costs, lane by lane."""
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
        cache_writes_5m=sum(counted.cache_write_5m for counted in tokens),
        cache_writes_1h=sum(counted.cache_write_1h for counted in tokens),
        web_searches=sum(counted.web_searches for counted in tokens),
    )


def remembered_block(tally: Tally, prices: PriceTable | None) -> RememberedBlock | msgspec.UnsetType:
    """Return what the answer store saved; UNSET if it answered no row."""
    rows = tally.statuses.get(REMEMBERED, 0)
    return RememberedBlock(rows, dollars(tally.recalled, prices)) if rows else msgspec.UNSET


def perhaps_paid_block(tally: Tally) -> PerhapsPaidBlock:
    """Return what may be paid, in the summary's format."""
    return PerhapsPaidBlock(tally.rows_perhaps_paid, tally.perhaps_paid.requests, tally.perhaps_paid.worst_usd)


def tally_block(tally: Tally) -> TallyBlock:
    """Return a tally in the summary's format."""
    return TallyBlock(
        tally.rows, tally.answered, tally.unusable, tally.failed, tally.rejected, tally.shared, tally.statuses
    )
