"""Dollars for tokens. Prices come from `prices.json`, dated and sourced; an unknown model has no price, not price 0."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from importlib import resources

import msgspec

from batchdrop.domain.result import Usage
from batchdrop.domain.tokens import Lane, Tokens

LONG_PROMPT_TOKENS = 100_000  # claude-haiku-5-5: above it the whole request costs more
BATCH_DISCOUNT = Decimal("0.5")  # Message Batches: half the standard price
_PER_MILLION = Decimal(1_000_000)


class Price(msgspec.Struct, frozen=True):
    """Dollars per million tokens, standard price."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


class ModelPrice(msgspec.Struct, frozen=True):
    """A model's price, and its price for long prompts where that differs."""

    standard: Price
    long_prompt: Price | None = None


class PriceTable(msgspec.Struct, frozen=True):
    """All known prices, with the day they were read and where."""

    date: str
    source: str
    models: dict[str, ModelPrice]


@cache
def price_table() -> PriceTable:
    """Read the table that ships with the package."""
    text = resources.files("batchdrop.domain").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(text, type=PriceTable)


def is_long_prompt(usage: Usage) -> bool:
    """Tell whether a request's whole prompt, cached parts included, is over the price step."""
    cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return usage.input_tokens + cached > LONG_PROMPT_TOKENS


def lane_of(usage: Usage) -> Lane:
    """Tell by which lane an answer came, as it is billed; one that does not say came in a Message Batch."""
    return "batch" if usage.service_tier in {None, "batch"} else "live"


def dollars(tokens: Iterable[Tokens], prices: PriceTable | None = None) -> Decimal | None:
    """Return what these tokens cost, each in its lane; None if one of the models has no known price."""
    table = prices or price_table()
    total = Decimal(0)
    for counted in tokens:
        price = _price(counted, table)
        if price is None:
            return None
        total += _standard_dollars(counted, price) * (BATCH_DISCOUNT if counted.lane == "batch" else 1)
    return total


def _price(tokens: Tokens, table: PriceTable) -> Price | None:
    model = table.models.get(tokens.model) or table.models.get(_without_date(tokens.model))
    if model is None:
        return None
    return model.long_prompt if tokens.long_prompt and model.long_prompt else model.standard


def _without_date(model: str) -> str:
    """`claude-haiku-4-5-20251001` is priced as `claude-haiku-4-5`."""
    return re.sub(r"-\d{8}$", "", model)


def _standard_dollars(tokens: Tokens, price: Price) -> Decimal:
    return (
        tokens.input * price.input
        + tokens.output * price.output
        + tokens.cache_write_5m * price.cache_write_5m
        + tokens.cache_write_1h * price.cache_write_1h
        + tokens.cache_read * price.cache_read
    ) / _PER_MILLION
