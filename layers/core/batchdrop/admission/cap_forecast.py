"""Forecast how many Message Batches a cap makes, from the estimate, before anything is sent. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchdrop.admission.budget import FIRST_ANSWERS, NOTHING, Seen, at_lane
from batchdrop.admission.waves import LEAST_SEEN, limit_of, price_lane
from batchdrop.admission.worst_case import WorstCase, fees_of
from batchdrop.answers.shape import AnswerShape
from batchdrop.job.manifest import Manifest
from batchdrop.limits import MAX_BATCH_REQUESTS
from batchdrop.money.estimate import Estimate
from batchdrop.money.prices import effective
from batchdrop.money.prompt_tokens import SEARCH_RESULT_TOKENS
from batchdrop.recipe.recipe import Recipe

MOST_ROUNDS = 1_000  # ours: then the cap is far too small to count on


@dataclass(frozen=True, slots=True)
class CapForecast:
    """The Message Batches of a capped job if its answers are as long as the estimate expects, escalations included.

    `without_cap` is their number without the cap. `requests_left` are those that the cap would leave unsent.
    """

    message_batches: int
    without_cap: int
    requests_left: int


@dataclass(frozen=True, slots=True)
class _Costs:
    """Dollars of one request: held with its own `max_tokens`, held with the expected limit, and expected."""

    full: Decimal
    limited: Decimal
    expected: Decimal


def cap_forecast(manifest: Manifest, shape: AnswerShape) -> CapForecast | None:
    """Return the forecast of a checked job; None without a cap, in the live lane, or if a price is not known."""
    recipe, estimate = manifest.recipe, manifest.estimate
    if manifest.is_packed:  # how many packs a wave may hold shows only when they are drawn
        return None
    if recipe is None or recipe.cap is None or estimate is None or not estimate.requests or manifest.lane != "batch":
        return None
    costs = _costs(manifest, recipe, estimate, shape)
    if costs is None:
        return None
    shards = math.ceil(estimate.requests / MAX_BATCH_REQUESTS)
    requests = math.ceil(estimate.requests / shards)
    is_bounded = bool(limit_of(recipe, shape, Seen()))
    rounds, left = _rounds(requests, recipe.cap / shards, costs, is_bounded=is_bounded)
    more = shards if recipe.escalate is not None and rounds else 0  # the rows for the other model are one more round
    return CapForecast(rounds * shards + more, shards + more, min(left * shards, estimate.requests))


def _rounds(requests: int, cap: Decimal, costs: _Costs, *, is_bounded: bool) -> tuple[int, int]:
    """Return how many rounds a shard needs, and how many requests do not fit under its share of the cap."""
    spent, left, rounds = NOTHING, requests, 0
    while left and rounds < MOST_ROUNDS:
        allowed, is_known = cap - spent, is_bounded or requests - left >= LEAST_SEEN
        if left * costs.full <= allowed:
            sent = left
        elif is_known:
            sent = min(left, int(allowed / min(costs.limited, costs.full)))
        else:
            sent = min(left, FIRST_ANSWERS, int(allowed / costs.full))
        if sent <= 0:
            break
        spent, left, rounds = spent + sent * costs.expected, left - sent, rounds + 1
    return rounds, left


def _costs(manifest: Manifest, recipe: Recipe, estimate: Estimate, shape: AnswerShape) -> _Costs | None:
    prices = effective(manifest.prices)
    lane = price_lane(recipe, manifest.lane)
    usd = estimate.usd(manifest.lane, prices)
    if usd is None:
        return None
    worst = WorstCase(recipe.own_model, prices=prices)
    full = limited = NOTHING
    for part in estimate.parts:
        bound = limit_of(recipe, shape, Seen(LEAST_SEEN, math.ceil(part.expected_output / max(1, part.requests))))
        most = min(part.max_output, (bound or part.most_tokens) * part.requests)
        tokens = math.ceil(part.input) + part.searches * SEARCH_RESULT_TOKENS
        parts: Any = {"requests": part.requests, "geo": part.geo, "model": part.model}
        is_cached = part.cacheable > 0
        full += worst.of(tokens, part.max_output, is_cached=is_cached, **parts)
        limited += worst.of(tokens, most, is_cached=is_cached, **parts)
    fee = fees_of(recipe, 1, prices=prices)
    each = Decimal(estimate.requests)
    return _Costs(at_lane(full, lane) / each + fee, at_lane(limited, lane) / each + fee, usd.expected / each)
