"""Compute dollars from tokens. A model that is not in the price table has no price; it never counts as free."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from batchdrop.answers.result import Billed, Usage
from batchdrop.answers.tokens import Tokens
from batchdrop.money.prices import Fees, ModelPrice, Price, PriceTable, price_table
from batchdrop.recipe.lane import Lane

__all__ = [
    "BATCH_DISCOUNT", "LONG_PROMPT_TOKENS", "CostParts", "ModelPrice", "Price", "PriceTable", "cost_parts", "dollars",
    "is_long_prompt", "lane_of", "price_table", "shown_usd", "unit_of",
]  # fmt: skip

LONG_PROMPT_TOKENS = 100_000  # claude-haiku-5-5: above this, the whole request costs more
BATCH_DISCOUNT = Decimal("0.5")  # Message Batches: half the standard price
USUAL = {"standard", "batch", "not_available"}  # of a usage; the lane decides the price, and nothing multiplies it
_PER_MILLION = Decimal(1_000_000)
_PER_THOUSAND = Decimal(1_000)


def is_long_prompt(usage: Usage) -> bool:
    """Return whether a request's whole prompt, cached parts included, exceeds the price step."""
    return usage.prompt_tokens > LONG_PROMPT_TOKENS


def lane_of(usage: Usage) -> Lane:
    """Return the lane that an answer is billed for; an answer without a service tier came in a Message Batch."""
    return "batch" if usage.service_tier in {None, "batch"} else "live"


def unit_of(message: Billed, lane: Lane | None = None) -> Tokens:
    """Return no tokens at an answer's price, in its own lane or in another."""
    usage = message.usage
    return Tokens(
        message.model,
        is_long_prompt(usage),
        lane or lane_of(usage),
        geo=_unless_usual(usage.inference_geo),
        tier=_unless_usual(usage.service_tier),
        speed=_unless_usual(usage.speed),
    )


def _unless_usual(value: str | None) -> str:
    return "" if value is None or value in USUAL else value


class CostParts(msgspec.Struct, frozen=True):
    """Dollars, by what was paid for."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cache_writes_5m: Decimal = Decimal(0)
    cache_writes_1h: Decimal = Decimal(0)
    cache_reads: Decimal = Decimal(0)
    web_searches: Decimal = Decimal(0)

    @property
    def usd(self) -> Decimal:
        """Return the sum."""
        return sum((getattr(self, name) for name in self.__struct_fields__), Decimal(0))

    def plus(self, other: CostParts) -> CostParts:
        """Return the sum of both."""
        return CostParts(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


def dollars(tokens: Iterable[Tokens], prices: PriceTable | None = None) -> Decimal | None:
    """Return the cost of these tokens, each in its lane; None if a model has no known price."""
    parts = cost_parts(tokens, prices)
    return None if parts is None else parts.usd


def cost_parts(tokens: Iterable[Tokens], prices: PriceTable | None = None) -> CostParts | None:
    """Return the cost of these tokens by kind, each in its lane; None if a model has no known price."""
    table = prices or price_table()
    total = CostParts()
    for counted in tokens:
        price, factor, search = _price(counted, table), _factor(counted, table.fees), table.fees.web_search_per_1000
        if price is None or factor is None or (counted.web_searches and search is None):
            return None
        fee = counted.web_searches * (search or Decimal(0)) / _PER_THOUSAND
        total = total.plus(msgspec.structs.replace(_parts(counted, price, factor), web_searches=fee))
    return total


def _factor(tokens: Tokens, fees: Fees) -> Decimal | None:
    """Return what multiplies the price of these tokens; None for a value whose factor is not known."""
    factor = Decimal(1)
    factors = (tokens.geo, fees.inference_geo), (tokens.tier, fees.service_tier), (tokens.speed, fees.speed)
    for value, known in factors:
        if value and value not in known:
            return None
        factor *= known[value] if value else 1
    return factor


def _price(tokens: Tokens, table: PriceTable) -> Price | None:
    model = table.of_model(tokens.model)
    if model is None:
        return None
    return model.long_prompt if tokens.long_prompt and model.long_prompt else model.standard


def _parts(tokens: Tokens, price: Price, factor: Decimal) -> CostParts:
    per_token = (BATCH_DISCOUNT if tokens.lane == "batch" else 1) * factor / _PER_MILLION
    return CostParts(
        input=tokens.input * price.input * per_token,
        output=tokens.output * price.output * per_token,
        cache_writes_5m=tokens.cache_write_5m * price.cache_write_5m * per_token,
        cache_writes_1h=tokens.cache_write_1h * price.cache_write_1h * per_token,
        cache_reads=tokens.cache_read * price.cache_read * per_token,
    )


def shown_usd(usd: Decimal | None) -> str:
    """Return dollars as text: to the cent, or to two significant digits below a dollar."""
    if usd is None:
        return "price unknown"
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.{1 - usd.adjusted()}f}"
