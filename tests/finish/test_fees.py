"""Fees beside tokens: in the estimate, the cap, the summary, the columns, the report and the metrics."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.adapters.pages.html_pages import HtmlPages
from batchdrop.errors import BudgetReached, RecipeRejected
from batchdrop.report.job_figures import NOTHING, figures
from batchdrop.report.summary import Summary
from tests.fakes import FakeBatchApi, JsonObject, succeeded
from tests.jobs import World, dropped, reviews
from tests.live_fakes import FakeMessageApi, echoed

TOOL = "{type: web_search_20260209, name: web_search, max_uses: 30}"
RECIPE = f"model: claude-haiku-5-5\nmax_tokens: 16\nprompt: 'ask {{{{ x }}}}'\nparams: {{tools: [{TOOL}]}}\n"
TOKENS = Decimal("0.0000175")  # 100 in and 15 out, in the live lane
USAGE = {"input_tokens": 100, "output_tokens": 15}
SEARCHES = {"server_tool_use": {"web_search_requests": 30, "web_fetch_requests": 0}}


def _world(recipe: str, lane: str, usage: dict[str, Any] | None = None, *, rows: int = 1) -> World:
    def result_of(_request: JsonObject) -> JsonObject:
        return succeeded("found", usage={**USAGE, "service_tier": "batch", **(usage or {})})

    world = dropped(reviews(rows), recipe=f"{recipe}lane: {lane}\n")
    world.api = FakeBatchApi(result_of=result_of)
    live = {**USAGE, "service_tier": "standard", **(usage or {})}
    world.messages = FakeMessageApi(script=lambda prompt, _before: echoed(prompt, usage=live))
    world.pages = HtmlPages()
    return world


def _half(lane: str) -> Decimal:
    return Decimal("0.5") if lane == "batch" else Decimal(1)


LANES = pytest.mark.parametrize("lane", ["batch", "live"])


@LANES
def test_searches_are_in_every_number(lane: str) -> None:
    """At the same fee in both lanes, which is seventeen thousand times the price of these tokens."""
    world = _world(RECIPE + "output: {add: [cost]}\n", lane, SEARCHES)
    summary = world.run()
    usd = TOKENS * _half(lane) + Decimal("0.30")
    assert summary.cost.usd == usd
    [block] = summary.lanes
    assert block.parts is not None
    assert (block.web_searches, block.parts.web_searches, block.usd) == (30, Decimal("0.30"), usd)
    assert figures(summary, NOTHING)["WebSearches"] == 30
    assert figures(summary, NOTHING)["DollarsSpent"] == pytest.approx(float(usd))
    [row] = csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline=""))
    assert float(row["_cost"]) == pytest.approx(float(usd))
    assert b"<li>web searches <b>30</b></li>" in world.result("report.html")


@LANES
def test_the_estimate_reaches_from_none_to_all(lane: str) -> None:
    """One search a request is expected; the bill is within the bounds."""
    summary = _world(RECIPE, lane, SEARCHES, rows=3).run()
    assert summary.estimate is not None
    usd = summary.estimate.usd
    assert usd is not None
    assert usd.low < Decimal("0.001") < Decimal("0.03") < usd.expected < Decimal("0.04")
    assert summary.cost.usd is not None
    assert summary.cost.usd <= usd.high
    assert (summary.estimate.web_searches, summary.estimate.actual.web_searches) == (90, 90)


def _stopped(world: World) -> Summary:
    try:
        return world.run()
    except BudgetReached:
        return world.close()


@LANES
def test_a_cap_holds_the_fees_before_anything_is_sent(lane: str) -> None:
    """Thirty searches cost 0.30 dollars: under a cap of a cent, no row is sent, and the job is red."""
    world = _world(f"{RECIPE}max_cost_usd: 0.01\n", lane, SEARCHES)
    summary = _stopped(world)
    assert (summary.status, summary.tally.statuses, summary.cost.usd) == ("failed", {"over_budget": 1}, Decimal(0))
    assert (len(world.api.created), len(world.messages.asked)) == (0, 0)
    assert re.search(r"may cost up to \$0\.[345]", summary.faults[0].message)


@LANES
def test_a_cap_above_the_fees_lets_the_job_run(lane: str) -> None:
    """The hold is the worst case: the fee of each search, and the tokens of its results."""
    summary = _world(f"{RECIPE}max_cost_usd: 0.60\n", lane, SEARCHES).run()
    assert (summary.status, summary.tally.answered) == ("succeeded", 1)


def test_a_wave_is_small_enough_for_its_fees() -> None:
    """A row may cost 0.41 dollars, of which its searches take 0.30: seven rows fit at once, then one more."""
    world = _world(f"{RECIPE}max_cost_usd: 3\n", "batch", SEARCHES, rows=8)
    assert world.run().tally.answered == 8
    assert [len(world.requests(round_number=number)) for number in (1, 2)] == [7, 1]


def test_a_cap_needs_the_price_of_a_geography() -> None:
    """Else each request would hold nothing, and the cap would be no cap."""
    recipe = "model: claude-haiku-5-5\nprompt: 'ask {{ x }}'\nparams: {inference_geo: eu}\nmax_cost_usd: 5\n"
    with pytest.raises(
        RecipeRejected, match=r"inference_geo: eu is not known.*put its factor into recipes/prices.yaml"
    ):
        dropped(reviews(1), recipe=recipe).split()
    world = dropped(reviews(1), recipe=recipe)
    factor = b"fees: {inference_geo: {eu: 1.2}}\n"
    prices = b"date: 2026-12-01\nsource: ours\nmodels: {m: {standard: {input: 1, output: 1, cache_write_5m: 1, "
    world.store.write("recipes/prices.yaml", prices + b"cache_write_1h: 1, cache_read: 1}}}\n" + factor)
    world.split()
    assert world.manifest.shards[0].worst_usd > 0


def test_a_cap_needs_a_bound() -> None:
    """Without `max_uses`, no worst case is known."""
    recipe = RECIPE.replace(", max_uses: 30", "") + "max_cost_usd: 5\n"
    with pytest.raises(RecipeRejected, match=r"key 'max_cost_usd': the tool web_search has no max_uses.*add max_uses"):
        dropped(reviews(1), recipe=recipe).split()


@LANES
@pytest.mark.parametrize(
    ("usage", "factor"),
    [
        ({"inference_geo": "us"}, "1.1"),
        ({"inference_geo": "global"}, "1"),
        ({"inference_geo": "not_available"}, "1"),
        ({"speed": "standard"}, "1"),
        ({"inference_geo": "moon"}, None),
        ({"speed": "fast"}, None),
    ],
)
def test_what_multiplies_the_price_is_known_or_the_price_is_not(lane: str, usage: Any, factor: str | None) -> None:
    """Never counted as free, nor as the usual."""
    summary = _world(RECIPE, lane, usage).run()
    assert summary.cost.usd == (None if factor is None else TOKENS * _half(lane) * Decimal(factor))


@pytest.mark.parametrize(("tier", "factor"), [("standard", "1"), ("priority", "1"), ("turbo", None)])
def test_service_tiers(tier: str, factor: str | None) -> None:
    """Of the live lane."""
    summary = _world(RECIPE, "live", {"service_tier": tier}).run()
    assert summary.cost.usd == (None if factor is None else TOKENS * Decimal(factor))


@LANES
def test_cache_writes_of_both_kinds(lane: str) -> None:
    """An hour costs more than five minutes; the summary tells them apart."""
    written = {"ephemeral_5m_input_tokens": 1_000_000, "ephemeral_1h_input_tokens": 1_000_000}
    summary = _world(RECIPE, lane, {"cache_creation": written, "cache_creation_input_tokens": 2_000_000}).run()
    [block] = summary.lanes
    assert (block.cache_writes_5m, block.cache_writes_1h, block.cache_writes) == (10**6, 10**6, 2 * 10**6)
    assert block.parts is not None
    # More than 100,000 tokens of prompt: the long price.
    assert block.parts.cache_writes_5m == Decimal("0.625") * _half(lane)
    assert block.parts.cache_writes_1h == Decimal("1.00") * _half(lane)


def test_the_geography_of_a_recipe_is_in_the_estimate() -> None:
    """All of its tokens cost more."""
    both = []
    for params in ("{}", "{inference_geo: us}"):
        recipe = f"model: claude-haiku-5-5\nmax_tokens: 16\nprompt: 'ask {{{{ x }}}}'\nparams: {params}\n"
        summary = _world(recipe, "batch", rows=3).run()
        assert summary.estimate is not None
        assert summary.estimate.usd is not None
        both.append(summary.estimate.usd)
    assert [both[1].low, both[1].expected, both[1].high] == [
        each * Decimal("1.1") for each in (both[0].low, both[0].expected, both[0].high)
    ]


def test_own_fees_come_first() -> None:
    """Prices are data: for a contract, and for what the shipped table does not know."""
    model = "{input: 0.10, output: 0.50, cache_write_5m: 1, cache_write_1h: 1, cache_read: 1}"
    fees = "{web_search_per_1000: 5, inference_geo: {moon: 3}}"
    own = f"date: 2026-12-01\nsource: c\nfees: {fees}\nmodels: {{claude-haiku-5-5: {{standard: {model}}}}}\n"
    world = _world(RECIPE, "batch", {"inference_geo": "moon", **SEARCHES})
    world.store.write("recipes/prices.yaml", own.encode())
    assert world.run().cost.usd == TOKENS * Decimal("1.5") + Decimal("0.15")


def test_an_odd_usage_counts_what_can_be_read() -> None:
    """Null and text in place of counts."""
    odd: dict[str, Any] = {"server_tool_use": {"web_search_requests": None}, "inference_geo": 5, "speed": None}
    summary = _world(RECIPE, "batch", odd).run()
    assert (summary.tally.answered, summary.cost.usd) == (1, TOKENS / 2)
