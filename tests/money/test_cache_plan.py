"""The decision about the prompt cache: by the dollars of this job."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchdrop.money.cache_plan import CachePlan, plan_cache
from batchdrop.money.estimate import Estimate, EstimatedRequests
from batchdrop.money.prices import price_table

SONNET = "claude-sonnet-5-5"


def _estimate(requests: int = 1_000_000, each: int = 1_094, model: str = SONNET) -> Estimate:
    part = EstimatedRequests(model, requests=requests, input=requests * each, expected_output=8 * requests)
    return Estimate([part])


def _plan(estimate: Estimate | None = None, **changes: Any) -> CachePlan:
    fields: dict[str, Any] = {"lane": "batch", "prefix_tokens": 1_024, "prices": price_table(), **changes}
    return plan_cache(fields.pop("wish", "auto"), estimate or _estimate(), **fields)


def test_the_reference_job_primes() -> None:
    """1,024 tokens at $1 in a Message Batch, against $0.05 and, for 5 %, $2: 85 % of them saved."""
    plan = _plan()
    assert plan.primes
    assert plan.saves_usd is not None
    assert round(plan.saves_usd) == 873
    assert "$872.96" in plan.reason
    assert "(77%) at a hit rate of 95%" in plan.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wish": False}, "cache: false"),
        ({"prefix_tokens": 600}, "caches 1,024 or more. More examples, 1,024 tokens in all, would save about $"),
        ({"prefix_tokens": 300}, "the requests share about 300 tokens, and claude-sonnet-5-5 caches 1,024 or more"),
        ({"hits": 0.5}, "only 50% of this recipe's requests read the cache before"),
        ({"seconds_left": 3 * 3600 - 1}, "finish_within leaves less than 3 h"),
        ({"obstacle": "a sample"}, "a sample"),
        ({"estimate": _estimate(500)}, "it would save only $0.43 (77%)"),
        ({"estimate": _estimate(1_000, each=100_000)}, "(1%) at a hit rate of 95%; auto primes from $0.50 and 10%"),
        ({"estimate": _estimate(model="claude-unknown")}, "the requests share about 1,024 tokens"),
        ({"estimate": _estimate(model="claude-unknown"), "prefix_tokens": 5_000}, "the price of claude-unknown is not"),
    ],
)
def test_nothing_is_primed_where_it_does_not_pay(changes: dict[str, Any], reason: str) -> None:
    """And the plan says why."""
    plan = _plan(**changes)
    assert not plan.primes
    assert reason in plan.reason
    assert not plan.warning


def test_the_advice_names_the_hit_rate() -> None:
    """600 tokens cost $600 for a million rows; 1,024 of them are cheaper from about 73 %."""
    assert _plan(prefix_tokens=600).reason.endswith("from 73% hits")


def test_true_primes_small_jobs_too() -> None:
    """As long as they save anything."""
    plan = _plan(_estimate(500), wish=True)
    assert plan.primes
    assert not plan.warning


@pytest.mark.parametrize(
    "changes", [{"prefix_tokens": 600}, {"hits": 0.5}, {"obstacle": "no pilot"}, {"estimate": _estimate(1)}]
)
def test_true_in_vain_warns(changes: dict[str, Any]) -> None:
    """It never marks what loses money; the warning says why."""
    plan = _plan(wish=True, **changes)
    assert not plan.primes
    assert plan.warning == f"system.cache: true: nothing is cached: {plan.reason}"


def test_a_live_job_needs_no_time_for_a_message_batch() -> None:
    """Its pilot answers in seconds, and the saving is at the full price."""
    plan = _plan(lane="live", seconds_left=60)
    assert plan.primes
    assert plan.saves_usd == 2 * (_plan().saves_usd or Decimal(0))


def test_the_estimate_of_a_primed_job_has_reads() -> None:
    """And that of any other has none."""
    estimate = _estimate(1_000_000, each=1_094)
    plain, primed = estimate.usd("batch"), estimate.primed(1_024, 0.95).usd("batch")
    assert plain is not None
    assert primed is not None
    assert plain.expected == Decimal(1134)
    assert round(primed.expected - plain.expected) == -873
    assert primed.low < primed.expected < plain.expected < primed.high
