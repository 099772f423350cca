"""The summary's `cache`: the decision about the prompt cache, beside what it really saved."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.money.cache_plan import CachePlan
from batchdrop.money.cost import dollars
from batchdrop.money.prices import PriceTable


class CacheBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt cache in `summary.json`.

    `decision` is `primed` or `off`, with its `reason`. `prefix_tokens` are the estimated tokens that all requests
    share. `expected_hits` and `expected_saving_usd` are from the split. `hits` is the share of the cached tokens that
    were read, null without any. `saved_usd` is what the same tokens would have cost uncached, less what they cost. It
    is negative if caching cost more, and null if a price is not known.
    """

    decision: str
    reason: str
    prefix_tokens: int
    expected_hits: float
    expected_saving_usd: Decimal | None
    hits: float | None
    saved_usd: Decimal | None


def cache_block(plan: CachePlan | None, tokens: Iterable[Tokens], prices: PriceTable | None) -> CacheBlock | None:
    """Return the block of a job; None if it decided nothing."""
    if plan is None:
        return None
    counted = list(tokens)
    return CacheBlock(
        decision="primed" if plan.primes else "off",
        reason=plan.reason,
        prefix_tokens=plan.prefix_tokens,
        expected_hits=plan.hits,
        expected_saving_usd=plan.saves_usd,
        hits=hits_of(counted),
        saved_usd=_saved(counted, prices),
    )


def hits_of(tokens: Iterable[Tokens]) -> float | None:
    """Return the share of the cached tokens that were read; None without any."""
    counted = list(tokens)
    read = sum(one.cache_read for one in counted)
    written = sum(one.cache_write_5m + one.cache_write_1h for one in counted)
    return round(read / (read + written), 4) if read + written else None


def _saved(tokens: list[Tokens], prices: PriceTable | None) -> Decimal | None:
    """Return what the cached tokens would have cost as input, less what they cost."""
    cached: list[Tokens] = []
    plain: list[Tokens] = []
    for one in tokens:
        parts = one.like()
        parts.cache_read, parts.cache_write_5m = one.cache_read, one.cache_write_5m
        parts.cache_write_1h = one.cache_write_1h
        as_input = one.like()
        as_input.input = one.cache_read + one.cache_write_5m + one.cache_write_1h
        cached.append(parts)
        plain.append(as_input)
    cost, without = dollars(cached, prices), dollars(plain, prices)
    return None if cost is None or without is None else without - cost
