"""A capped job in waves: how many tokens an answer may take, and how many requests fit under the cap. Pure arithmetic.

A job whose requests together might cost more than its cap is sent in waves. The first wave shows how long answers are.
Later waves limit `max_tokens` to a multiple of that, so that far more requests fit under the cap. A wave holds its
worst case like any round. An answer that the limit cut is sent again with the recipe's `max_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from batchdrop.admission.budget import FIRST_ANSWERS, NOTHING, BudgetState, Seen
from batchdrop.admission.worst_case import fees_of
from batchdrop.answers.shape import AnswerShape
from batchdrop.answers.token_bound import most_tokens
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.money.cost import BATCH_DISCOUNT
from batchdrop.money.prices import effective
from batchdrop.recipe.lane import Lane
from batchdrop.recipe.recipe import Recipe

LEAST_SEEN = 20  # ours: fewer answers show too little
LONGER = 4  # the limit, in lengths of the longest of the first answers
LEAST_LIMIT = 16  # ours: tokens; a lower limit saves nothing


def goes_in_waves(manifest: Manifest) -> bool:
    """Return whether the requests of a split job together might cost more than its cap. Packs with a cap always do.

    The packs of a round and their hold are then one plan.
    """
    recipe = manifest.recipe
    if recipe is None or recipe.cap is None:
        return False
    if recipe.pack is not None:
        return True
    prices = effective(manifest.prices)
    worst = sum((item.worst_usd for item in manifest.shards), NOTHING)
    most = worst * share_of(price_lane(recipe, manifest.lane)) + fees_of(recipe, manifest.requests, prices=prices)
    return most > recipe.cap


def price_lane(recipe: Recipe, lane: Lane) -> Lane:
    """Return the lane whose price a wave must fit: `live` if the job may end there."""
    return "live" if recipe.finish_within is not None or recipe.on_leftovers == "live" else lane


def share_of(lane: Lane) -> Decimal:
    """Return what a lane costs, as a share of the standard price."""
    return BATCH_DISCOUNT if lane == "batch" else Decimal(1)


def limit_of(recipe: Recipe, shape: AnswerShape, seen: Seen) -> int:
    """Return the most tokens that an answer needs; 0 if that is not known, or not below the recipe's `max_tokens`.

    Thinking has a budget of its own, which the API compares with `max_tokens`, so such recipes keep theirs. So do those
    whose rows name their own: of a cut answer, nobody would know which limit cut it.
    """
    own = recipe.own_tokens
    if own is None or recipe.params.get("thinking"):
        return 0
    typed = None if recipe.params.get("tools") else most_tokens(shape.schema)
    measured = max(LEAST_LIMIT, seen.longest * LONGER) if seen.answers >= LEAST_SEEN else None
    return min((bound for bound in (typed, measured) if bound is not None and bound < own), default=0)


def allowance(standing: BudgetState, item: ShardItem, manifest: Manifest, cap: Decimal, *, least: Decimal) -> Decimal:
    """Return what the shard's next wave may cost.

    That is what is left of the shard's share of the cap, so that all shards can be open at once. A shard that is as
    small as a first wave, or whose share is used up (below `least`), may take from what is left of the whole cap.
    """
    left = cap - standing.spent - standing.held
    total = sum((one.worst_usd for one in manifest.shards), NOTHING)
    own = cap * item.worst_usd / total - standing.by_shard.get(item.shard, NOTHING) if total else left
    return left if own < least or item.requests <= FIRST_ANSWERS else min(own, left)


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits to be sent: its row, its highest cost with its own `max_tokens`, and with the limit.

    Dollars are those of the lane. `is_new`: it was never sent.
    """

    row: int
    full: Decimal
    limited: Decimal
    is_new: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """How many of the pending requests are sent, with which limit (0: none), and what they cost at most."""

    requests: int
    limit: int
    usd: Decimal


def chosen(pending: Sequence[Pending], *, limit: int, allowed: Decimal) -> Choice | None:
    """Return the first of the pending requests that fit; None if not even one does.

    If all fit with their own `max_tokens`, nothing is limited. Without a known limit, only a first wave is sent.
    """
    whole = sum((one.full for one in pending), NOTHING)
    if whole <= allowed:
        return Choice(len(pending), 0, whole)
    total, count = NOTHING, 0
    for one in pending if limit else pending[:FIRST_ANSWERS]:
        usd = one.limited if limit else one.full
        if total + usd > allowed:
            break
        total, count = total + usd, count + 1
    return Choice(count, limit, total) if count else None
