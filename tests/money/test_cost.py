"""Dollars: from real usage, at the batch price, and never a price that is not known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.answers.result import CacheCreation, Usage
from batchdrop.answers.tokens import Tokens
from batchdrop.money.cost import LONG_PROMPT_TOKENS, dollars, is_long_prompt, price_table

MILLION = 1_000_000
counts = st.integers(0, 10**9)

# As the facts page lists them: in, out, 5m write, 1h write, cache read; standard price, dollars per million tokens.
PUBLISHED = {
    "claude-opus-5-5": ("4", "20", "5", "8", "0.20"),
    "claude-sonnet-5-5": ("2", "10", "2.5", "4", "0.10"),
    "claude-haiku-5-5": ("0.10", "0.50", "0.125", "0.20", "0.01"),
    "claude-haiku-4-5": ("1", "5", "1.25", "2", "0.10"),
    "claude-fable-5-1": ("10", "50", "12.5", "20", "0.25"),
    "claude-opus-5": ("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-8": ("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-7": ("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-6": ("5", "25", "6.25", "10", "0.50"),
    "claude-opus-4-5": ("5", "25", "6.25", "10", "0.50"),
    "claude-sonnet-5": ("2", "10", "2.5", "4", "0.20"),
    "claude-sonnet-4-6": ("3", "15", "3.75", "6", "0.30"),
    "claude-sonnet-4-5": ("3", "15", "3.75", "6", "0.30"),
}
KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")


@pytest.mark.parametrize("model", PUBLISHED)
@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_published_prices_at_half(model: str, kind: int) -> None:
    """A million tokens of each kind cost half of the published price."""
    tokens = Tokens(model)
    setattr(tokens, KINDS[kind], MILLION)
    assert dollars([tokens]) == Decimal(PUBLISHED[model][kind]) / 2


def test_the_table_has_nothing_else() -> None:
    """No model has a price that is not published, and the table says when and where it was read."""
    table = price_table()
    assert table.models.keys() == PUBLISHED.keys()
    assert date.fromisoformat(table.date)
    assert table.source


def test_long_prompts_of_haiku_cost_more() -> None:
    """Over 100k tokens of prompt the whole request is at the higher price, output too."""
    tokens = Tokens("claude-haiku-5-5", long_prompt=True, input=MILLION, output=MILLION)
    assert dollars([tokens]) == Decimal("1.5")


def test_long_prompts_of_other_models_cost_the_same() -> None:
    """A model without a price step has one price."""
    tokens = Tokens("claude-opus-5-5", long_prompt=True, input=MILLION)
    assert dollars([tokens]) == Decimal(2)


@pytest.mark.parametrize("model", ["claude-haiku-6", "", "gpt", "claude-haiku-4-5-2025", "Claude-Opus-5"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    """Unknown is None, never zero, even beside a known one and even without a token."""
    assert dollars([Tokens("claude-opus-5", input=5), Tokens(model)]) is None


def test_a_dated_name_is_the_same_model() -> None:
    """The API answers with dated names."""
    assert dollars([Tokens("claude-haiku-4-5-20251001", input=MILLION)]) == Decimal("0.5")


def test_nothing_costs_nothing() -> None:
    """A job without answers costs 0."""
    assert dollars([]) == 0


@given(st.lists(st.tuples(st.sampled_from(list(PUBLISHED)), counts, counts), max_size=6))
def test_dollars_add_up_exactly(entries: list[tuple[str, int, int]]) -> None:
    """The whole costs what its parts cost, without a rounding error."""
    tokens = [Tokens(model, input=read, output=written) for model, read, written in entries]
    assert dollars(tokens) == sum((dollars([one]) or Decimal(0) for one in tokens), Decimal(0))


@given(counts, counts, counts)
def test_a_long_prompt_counts_its_cached_parts(fresh: int, written: int, read: int) -> None:
    """The step is by the whole prompt: fresh, written to the cache, and read from it."""
    usage = Usage(input_tokens=fresh, cache_creation_input_tokens=written, cache_read_input_tokens=read)
    assert is_long_prompt(usage) == (fresh + written + read > LONG_PROMPT_TOKENS)


def test_the_step_is_above_100k() -> None:
    """Exactly 100,000 tokens are still at the lower price."""
    assert not is_long_prompt(Usage(input_tokens=100_000))
    assert is_long_prompt(Usage(input_tokens=100_001))


def test_cache_writes_are_priced_by_how_long_they_stay() -> None:
    """Writes for an hour and for five minutes are told apart; where the API does not say, it is five minutes."""
    told, untold = Tokens("m"), Tokens("m")
    told.add([Usage(cache_creation_input_tokens=30, cache_creation=CacheCreation(10, 20))])
    untold.add([Usage(cache_creation_input_tokens=30)])
    assert (told.cache_write_5m, told.cache_write_1h) == (10, 20)
    assert (untold.cache_write_5m, untold.cache_write_1h) == (30, 0)
