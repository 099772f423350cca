"""The sample: the rows that are sent before all others, and the job's cost projected from their answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import fmean, stdev
from typing import Literal

import msgspec

from batchdrop.answers.result import Billed
from batchdrop.answers.tokens import Tokens
from batchdrop.job.lane import deadline_of, is_small, lane_of_job
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.pilot import is_live_alone
from batchdrop.money.cost import PriceTable, dollars, unit_of
from batchdrop.money.prices import effective
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe
from batchdrop.report.summary import TallyBlock

Rest = Literal["ask", "wait", "leave"]  # the decision about the rows after the sample

SAMPLE_SHARD = 0
# Student's t, 97.5 %, by the degrees of freedom from 1: half the width of a 95 % interval, in standard errors
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
_T_OF_MORE = 2.23  # for ten degrees; with more it falls to 1.96
_CENTS = Decimal("0.000001")


def has_sample(manifest: Manifest) -> bool:
    """Return whether a split job sends its first shard before the others. It does if the others have any request."""
    is_wanted = manifest.recipe is not None and manifest.recipe.sampled is not None
    return is_wanted and any(item.requests for item in manifest.shards[SAMPLE_SHARD + 1 :])


def drawn_notes(manifest: Manifest) -> list[str]:
    """Return the note about a random sample, for people; none if the job drew no rows."""
    if not manifest.draws_sample or not manifest.shards:
        return []
    return [f"{manifest.shards[SAMPLE_SHARD].rows:,} of its rows, drawn at random from the whole file, went first"]


def first_limits(manifest: Manifest) -> tuple[int, ...]:
    """Return the most requests of each of the first shards; the others have the usual limits."""
    if manifest.recipe is not None and manifest.recipe.sampled is not None:
        return () if manifest.draws_sample else (manifest.recipe.sampled.rows,)
    return tuple(manifest.first)


def lane_of_shard(manifest: Manifest, shard: int, *, live_rows: int) -> Lane:
    """Return the lane of a shard's first round; `live_rows` is the stack's own limit for `lane: auto`."""
    recipe = manifest.recipe
    if is_live_alone(manifest, shard):
        return "live"
    if shard == SAMPLE_SHARD and recipe is not None and recipe.sampled is not None and has_sample(manifest):
        if recipe.sampled.lane != "auto":
            return recipe.sampled.lane
        requests = manifest.shards[SAMPLE_SHARD].requests
        is_quick = is_small(recipe, requests, live_rows=live_rows, longest=manifest.longest)
        return "live" if recipe.lane == "live" or is_quick else "batch"
    return lane_of_job(recipe, requests=manifest.requests, live_rows=live_rows, longest=manifest.longest)


def deadline_of_rest(recipe: Recipe, uploaded_at: datetime, approved_at: datetime | None) -> int:
    """Return the deadline of the other rows in Unix seconds; 0 for none.

    `finish_within` starts at the approval, because the time until then is the user's.
    """
    return deadline_of(recipe, approved_at or uploaded_at)


@dataclass(frozen=True, slots=True)
class RowCost:
    """The dollars that one row of the sample would cost in the lane of the other rows, with all its paid answers."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)

    def __add__(self, other: RowCost) -> RowCost:
        return RowCost(self.input + other.input, self.output + other.output)


def cost_in(lane: Lane, message: Billed, prices: PriceTable | None = None) -> RowCost | None:
    """Return what an answer would cost in this lane; None if the model's price is not known."""
    tokens = unit_of(message, lane)
    tokens.add([message.usage])
    whole = dollars([tokens], prices)
    tokens.output = 0
    read = dollars([tokens], prices)
    return None if whole is None or read is None else RowCost(read, whole - read)


class Projection(msgspec.Struct, frozen=True):
    """Projected dollars of the whole job, including the sample. The real cost is between `low` and `high` in 95 %.

    That assumes that the sampled rows are like the others.
    """

    low_usd: Decimal
    expected_usd: Decimal
    high_usd: Decimal


def projected(spent: Decimal | None, costs: list[RowCost], manifest: Manifest, lane: Lane) -> Projection | None:
    """Project the job's cost from the cost of each answered row of the sample; None if no cost is known.

    The input is scaled by the length of the other requests; the output is assumed to be like the sample's. A single
    answer shows no spread, so `low` then counts no output, and `high` as much as `max_tokens` allows.
    """
    if spent is None or not costs or manifest.recipe is None:
        return None
    sample, rest = manifest.shards[SAMPLE_SHARD], manifest.shards[SAMPLE_SHARD + 1 :]
    longer = _weight(rest) / _weight([sample])
    per_row = [float(cost.input) * longer + float(cost.output) for cost in costs]
    expected = fmean(per_row)
    if len(costs) > 1:
        off = _t(len(costs) - 1) * stdev(per_row) / len(costs) ** 0.5
        low, high = max(0.0, expected - off), expected + off
    else:
        low = float(costs[0].input) * longer
        high = max(expected, low + float(_most_output(manifest, manifest.recipe, lane)))
    requests = sum(item.requests for item in rest)
    return Projection(*((spent + Decimal(each * requests)).quantize(_CENTS) for each in (low, expected, high)))


def _most_output(manifest: Manifest, recipe: Recipe, lane: Lane) -> Decimal:
    """Return the highest cost of one answer's output; 0 if a price is not known."""
    limits = manifest.estimate.most_tokens if manifest.estimate else {}
    if recipe.own_model is not None and recipe.own_tokens is not None:
        limits = {recipe.own_model: recipe.own_tokens}
        limits |= {recipe.escalate.to: recipe.own_tokens} if recipe.escalate else {}
    tokens = [Tokens(model, lane=lane, output=most) for model, most in limits.items()]
    return max((dollars([one], effective(manifest.prices)) or Decimal(0) for one in tokens), default=Decimal(0))


def _t(freedom: int) -> float:
    return _T[freedom - 1] if freedom <= len(_T) else _T_OF_MORE


def _weight(shards: list[ShardItem]) -> float:
    """Return the mean length of the shards' requests: in estimated tokens, or in bytes if there is no estimate."""
    sent = [item for item in shards if item.requests]
    requests = sum(item.requests for item in sent) or 1
    return (sum(item.input_tokens for item in sent) or sum(item.bytes for item in sent) or 1) / requests


def is_under(ceiling: float | None, projection: Projection | None) -> bool:
    """Return whether the job continues by itself, because even the projection's high end is within the ceiling."""
    return ceiling is not None and projection is not None and projection.high_usd <= Decimal(str(ceiling))


class RestBlock(msgspec.Struct, frozen=True):
    """The rows after the sample. `becomes` is the decision about them: send (`ask`), wait, or do not send (`leave`)."""

    rows: int
    requests: int
    lane: Lane
    becomes: Rest
    reason: str


class SampleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `sample.json`. Dollars are null if a model's price is not known.

    `output` is the key of the sample's rows with their answers; `projected` is for the whole job.
    """

    job_id: str
    shown_at: datetime
    model: str
    output: str
    tally: TallyBlock
    tokens: list[Tokens]
    spent_usd: Decimal | None
    projected: Projection | None
    continue_under_usd: float | None
    rest: RestBlock
