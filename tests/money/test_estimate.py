"""What a job is reckoned to cost: bounds that hold, lanes, caches, long prompts, and prices nobody knows."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchdrop.money.estimate import INPUT_BAND, Estimate, EstimatedRequests, step_of
from batchdrop.recipe.lane import Lane

MILLION = 1_000_000
ROUNDED = Decimal("0.00004")  # two tokens for each of ten requests, $2 a million
amounts = st.integers(0, 10**8)


def _estimate(**fields: float) -> Estimate:
    return Estimate([msgspec.convert({"model": "claude-sonnet-5-5", "requests": 10, **fields}, EstimatedRequests)])


def test_input_has_a_band_and_output_is_bound_by_max_tokens() -> None:
    """$2 and $10 a million, live."""
    usd = _estimate(input=MILLION, expected_output=100_000, max_output=MILLION).usd("live")
    assert usd is not None
    assert usd.low == Decimal("1.8") - ROUNDED + Decimal("0.0001")  # ten answers of a token
    assert usd.expected == 3
    assert usd.high == Decimal("2.2") + ROUNDED + 10


def test_the_batch_lane_costs_half() -> None:
    """Each bound."""
    estimate = _estimate(input=MILLION, expected_output=100_000, max_output=MILLION)
    batch, live = estimate.usd("batch"), estimate.usd("live")
    assert batch is not None
    assert live is not None
    assert (2 * batch.low, 2 * batch.expected, 2 * batch.high) == (live.low, live.expected, live.high)


def test_a_job_that_may_end_live_has_that_lanes_high_bound() -> None:
    """A late job, or its leftovers."""
    estimate = _estimate(input=MILLION, max_output=MILLION)
    mixed, batch, live = estimate.usd("batch", high_lane="live"), estimate.usd("batch"), estimate.usd("live")
    assert mixed is not None
    assert batch is not None
    assert live is not None
    assert (mixed.low, mixed.expected, mixed.high) == (batch.low, batch.expected, live.high)


def test_a_primed_prefix_is_read_at_the_hit_rate() -> None:
    """The rest is written; at the least all of it is read ($0.10), at the most written each time ($4)."""
    usd = _estimate(input=MILLION).primed(MILLION, 0.9).usd("live")
    assert usd is not None
    assert usd.low == Decimal("0.09") + Decimal("0.0001")
    assert usd.expected == Decimal("0.4") + Decimal("0.09")
    assert usd.high == Decimal("4.4") + ROUNDED


def test_paid_repetitions_are_in_the_high_bound_only() -> None:
    """`retry`: the whole prompt again, with twice the room."""
    once = _estimate(input=MILLION, max_output=MILLION)
    thrice = msgspec.structs.replace(once, paid_prompts=2, paid_answers=3)
    low, high = once.usd("live"), thrice.usd("live")
    assert low is not None
    assert high is not None
    assert (high.low, high.expected) == (low.low, low.expected)
    assert high.high == Decimal("4.4") + 2 * ROUNDED + 30
    assert thrice.output_tokens.high == 3 * MILLION


@pytest.mark.parametrize(
    ("tokens", "step"),
    [(0, "below"), (90_000, "below"), (91_000, "near"), (111_000, "near"), (112_000, "above"), (10**7, "above")],
)
def test_where_a_prompt_lies_to_the_price_step(tokens: int, step: str) -> None:
    """`near` is what the band leaves open."""
    assert step_of(tokens) == step


def test_a_prompt_near_the_step_has_both_prices() -> None:
    """At the least the lower one, at the most the higher one; expected by its size."""
    near = Estimate([EstimatedRequests("claude-haiku-5-5", "near", 1, 105_000, max_output=1)])
    usd = near.usd("live")
    assert usd is not None
    assert usd.low < Decimal("0.0105") < usd.expected == Decimal("0.0525") < usd.high


@pytest.mark.parametrize("model", ["claude-haiku-6", ""])
def test_an_unknown_price_is_not_zero(model: str) -> None:
    """Not 0, also beside known models and where nothing was counted yet."""
    estimate = _estimate(input=1)
    estimate.part(model, "below")
    assert estimate.usd("batch") is None
    assert estimate.unpriced() == [model]


def test_a_scaled_estimate_is_as_the_sample_showed() -> None:
    """Input, what is cached of it, and the band; output is as before."""
    scaled = _estimate(input=1_000, cacheable=500, reread=500, max_output=70).scaled(1.5, 0.02)
    [part] = scaled.parts
    assert (part.input, part.cacheable, part.reread, part.max_output, scaled.band) == (1_500, 750, 750, 70, 0.02)


def _output(most: int) -> dict[str, int]:
    return {"expected_output": 1 + most // 4, "max_output": 1 + most}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["claude-haiku-5-5", "claude-opus-5"]), st.sampled_from(["below", "near", "above"]), amounts
        ),
        max_size=8,
    ),
    st.sampled_from(["batch", "live"]),
    st.integers(0, 8),
)
def test_shards_add_up(parts: list[tuple[str, str, int]], lane: Lane, cut: int) -> None:
    """However rows are dealt out to shards, the job's estimate is the same, and its bounds are in order."""
    reckoned = [
        msgspec.convert(
            {"model": model, "step": step, "requests": 1, "input": size, "cacheable": size // 2, **_output(size)},
            EstimatedRequests,
        )
        for model, step, size in parts
    ]
    whole, left, right = Estimate(), Estimate(), Estimate()
    for place, part in enumerate(reckoned):
        for one in (whole, left if place < cut else right):
            one.part(part.model, part.step).merge(part)
    left.merge(right)
    assert left.usd(lane) == whole.usd(lane)
    usd = whole.usd(lane)
    assert usd is not None
    assert usd.low <= usd.expected <= usd.high


@given(amounts, amounts)
def test_an_estimate_survives_the_manifest(size: int, output: int) -> None:
    """It is written as JSON and read again by the next invocation."""
    estimate = _estimate(input=size + 0.25, max_output=output)
    assert msgspec.json.decode(msgspec.json.encode(estimate), type=Estimate) == estimate
    assert estimate.band == INPUT_BAND
