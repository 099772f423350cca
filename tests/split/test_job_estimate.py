"""A job's estimate on its way: counted while it is split, held against the cap, and against what was used."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from batchdrop.errors import PricesRejected, RecipeRejected, TooExpensive
from batchdrop.money.estimate import INPUT_BAND
from batchdrop.money.prompt_tokens import request_size
from batchdrop.split import split_upload
from tests.documents import document, zipped
from tests.jobs import KEYS, World, dropped, reviews

RECIPE = "model: claude-haiku-5-5\nmax_tokens: 100\nprompt: 'ask {{ x }}'\n"
PRICE = "{input: 4, output: 8, cache_write_5m: 5, cache_write_1h: 6, cache_read: 1}"
OWN = f"date: 2026-12-01\nsource: contract\nmodels:\n  MODEL:\n    standard: {PRICE}\n"
CONVERSATION = """
model: claude-opus-4-5
messages:
  - {role: user, content: 'q "{{ x }}"'}
  - {role: assistant, content: ok}
  - {role: user, content: "and\\n{{ x }}"}
examples: [{row: {x: é}, answer: ja}]
"""
ROWS = [
    "plain",
    "日本語、改行\nあり",
    "é\u0301 ß Ж",
    'say "hi"\\n\\path',
    "😀" * 50,
    "x" * 200_000,
    "\u0001\u2028</s>",
    " a ",
]


def _csv(rows: list[str]) -> bytes:
    table = io.StringIO()
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows([["x"], *([row] for row in rows)])
    return table.getvalue().encode()


def _read(world: World) -> float:
    """What all of a job's requests count when each is read whole."""
    return sum(
        request_size(json.dumps(request["params"], ensure_ascii=False, separators=(",", ":")).encode()).input_tokens
        for shard in range(len(world.manifest.shards))
        for request in world.requests(shard)
    )


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        RECIPE + "system: あなたは親切です。\nanswer: {label: string, n: integer}\ndedupe: false\n",
        CONVERSATION,
        RECIPE + "params: {tools: [{name: t, input_schema: {type: object}}]}\n",
    ],
    ids=["plain", "Japanese, typed", "conversation", "tools"],
)
def test_counting_as_it_goes_is_as_good_as_reading_each(recipe: str) -> None:
    """Within a token a row, whatever script, escape or size: the frame is measured once, rows by their own words."""
    world = dropped(_csv(ROWS * 5), recipe=recipe, rows=7)
    world.split()
    estimate = world.manifest.estimate
    assert estimate is not None
    assert estimate.requests == world.manifest.requests == 40
    assert estimate.input_tokens == pytest.approx(_read(world), abs=1.0 * estimate.requests)


def test_each_shard_has_its_own(world_of_shards: World) -> None:
    """The manifest keeps what a shard's requests hold, and what their answers may: what plans and budgets need."""
    manifest = world_of_shards.manifest
    assert manifest.estimate is not None
    assert [shard.max_output_tokens for shard in manifest.shards] == [300, 300, 300, 100]
    assert sum(shard.input_tokens for shard in manifest.shards) == pytest.approx(manifest.estimate.input_tokens, abs=4)


def test_an_interrupted_split_counts_nothing_twice(world_of_shards: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is called again: the shard that it dropped in its middle is counted when it is written."""
    monkeypatch.setattr(split_upload, "ROWS_BETWEEN_TIME_CHECKS", 1)
    again = dropped(reviews(10), recipe=RECIPE, rows=3)
    invocations = 1
    while not again.split(looks=3).finished:
        invocations += 1
    assert invocations > 2
    assert again.manifest.estimate == world_of_shards.manifest.estimate
    assert again.manifest.shards == world_of_shards.manifest.shards


@pytest.fixture
def world_of_shards() -> World:
    """Ten rows in four shards."""
    world = dropped(reviews(10), recipe=RECIPE, rows=3)
    world.split()
    return world


def test_ready_requests_are_counted_by_what_they_say() -> None:
    """Model and `max_tokens` of each; what the API will refuse is of a model that nobody knows."""
    asked = [{"model": model, "max_tokens": most, "messages": [{"role": "user", "content": "Hi"}]} for model, most in
             (("claude-haiku-5-5", 10), ("claude-opus-5", 20), ("claude-opus-5", 30))]  # fmt: skip
    lines = [{"custom_id": f"c{number}", "params": params} for number, params in enumerate([*asked, {"model": 5}])]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    world = dropped(body, key="inbox/f.jsonl", recipe=None)
    world.split()
    estimate = world.manifest.estimate
    assert estimate is not None
    assert {part.model: (part.requests, part.max_output) for part in estimate.parts} == {
        "claude-haiku-5-5": (1, 10), "claude-opus-5": (2, 50), "": (1, 1)
    }  # fmt: skip
    assert estimate.unpriced() == [""]


def test_files_count_by_what_is_seen() -> None:
    """Not by the length of their base64."""
    archive = zipped({"a.png": document("disc.png"), "b.pdf": document("page.pdf")})
    world = dropped(archive, key="inbox/r/f.zip", recipe="model: claude-haiku-5-5\nprompt: x\ninput: files\n")
    world.split()
    assert world.manifest.estimate is not None
    assert 3_600 < world.manifest.estimate.input_tokens < 3_640


def test_a_job_above_its_cap_is_refused_before_anything_is_sent() -> None:
    """It says the estimate, the cap, and what to do; another call of the split says the same."""
    world = dropped(reviews(1_000), recipe=RECIPE + "max_cost_usd: 0.0001\n")
    for _ in range(2):
        with pytest.raises(TooExpensive) as caught:
            world.split()
        said = str(caught.value)
        assert "f.csv: its 1,000 requests would cost at least $0.000" in said
        assert "in the batch lane, and recipes/r.yaml says max_cost_usd: 0.0001. Nothing was sent. Raise" in said
    assert not world.api.created


def test_a_live_job_is_pointed_to_the_cheaper_lane() -> None:
    """Which is half the price."""
    with pytest.raises(TooExpensive, match=r"in the live lane, .* take the batch lane at half the price"):
        dropped(reviews(100), recipe=RECIPE + "max_cost_usd: 0.00001\nlane: live\n").split()


@pytest.mark.parametrize("cap", ["0.001", "5"])
def test_a_job_that_may_stay_below_its_cap_begins(cap: str) -> None:
    """Only what is sure to be above it is refused: the low bound counts."""
    world = dropped(reviews(100), recipe=RECIPE + f"max_cost_usd: {cap}\n")
    assert world.split().finished
    estimate = world.manifest.estimate
    assert estimate is not None
    usd = estimate.usd("batch")
    assert usd is not None
    assert cap == "5" or usd.low < Decimal(cap) < usd.high


def test_a_cap_without_a_price_is_refused_and_a_price_helps() -> None:
    """Unknown is not below the cap; the user's own table makes it known."""
    recipe = RECIPE.replace("claude-haiku-5-5", "claude-next") + "max_cost_usd: 5\n"
    with pytest.raises(RecipeRejected, match=r"the price of claude-next is not known, .* into recipes/prices\.yaml"):
        dropped(reviews(3), recipe=recipe).split()
    world = dropped(reviews(3), recipe=recipe)
    world.store.write("recipes/prices.yaml", OWN.replace("MODEL", "claude-next").encode())
    assert world.split().finished


def test_a_resumed_jobs_new_cap_needs_a_price() -> None:
    """The cap was put into the recipe after the first run. It cannot be kept, so it is refused and not taken over."""
    recipe = RECIPE.replace("claude-haiku-5-5", "claude-next")
    world = dropped(reviews(3), recipe=recipe)
    assert world.split().finished
    world.resume()
    world.store.write("recipes/r.yaml", f"{recipe}max_cost_usd: 5\n".encode())
    with pytest.raises(RecipeRejected, match=r"the price of claude-next is not known"):
        world.split()
    assert world.manifest.recipe is not None
    assert world.manifest.recipe.max_cost_usd is None
    world.store.write("recipes/r.yaml", recipe.encode())
    assert world.split().finished


def test_a_broken_price_table_stops_the_job_before_it_costs() -> None:
    """With the key; and one that breaks later does not keep the job from being closed."""
    world = dropped(reviews(3), recipe=RECIPE)
    world.store.write("recipes/prices.yaml", b"models: [")
    with pytest.raises(PricesRejected, match=r"recipes/prices\.yaml: it is not YAML"):
        world.split()
    world.store.write("recipes/prices.yaml", OWN.replace("MODEL", "claude-haiku-5-5").encode())
    world.split()
    world.store.write("recipes/prices.yaml", b"broken")
    world.ask()
    summary = world.close()
    assert summary.cost.prices_of.endswith("your own prices of 2026-12-01")
    assert summary.cost.source.endswith("your own prices: contract")


def test_no_recipe_is_called_prices() -> None:
    """That file holds prices."""
    world = World().drop("inbox/prices/f.csv", reviews(3), recipe=None)
    world.store.write("recipes/prices.yaml", OWN.replace("MODEL", "m").encode())
    with pytest.raises(RecipeRejected, match=r"recipes/prices\.yaml: the name is reserved for your own prices"):
        world.split()


def test_the_summary_holds_the_estimate_against_what_was_used() -> None:
    """Tokens, dollars and their ratio, in the lane the job began in; per lane what was paid for what."""
    world = dropped(reviews(10), recipe=RECIPE)
    summary = world.run()
    block, [lane] = summary.estimate, summary.lanes
    assert block is not None
    assert block.usd is not None
    assert lane.usd is not None
    assert (block.lane, block.requests, block.actual.answers, block.band) == ("batch", 10, 10, INPUT_BAND)
    assert block.actual.usd == summary.cost.usd == lane.usd
    assert block.ratio == pytest.approx(float(lane.usd / block.usd.expected), abs=0.001)
    assert block.input_ratio == pytest.approx(block.actual.input_tokens / block.input_tokens, abs=0.001)
    assert lane.parts is not None
    assert lane.parts.usd == lane.usd
    written: dict[str, Any] = json.loads(world.result("summary.json"))
    assert (
        written["estimate"]["usd"]["low"] <= written["estimate"]["usd"]["expected"] < written["estimate"]["usd"]["high"]
    )
    assert written["estimate"]["actual"]["usd"] == float(summary.cost.usd or 0)
    assert written["lanes"][0]["parts"]["cache_reads"] == 0


def test_an_unknown_price_is_null_in_the_summary() -> None:
    """Tokens are compared, dollars are not."""
    world = dropped(reviews(3), recipe=RECIPE.replace("claude-haiku-5-5", "claude-next"))
    world.split()
    block = world.close().estimate
    assert block is not None
    assert (block.usd, block.ratio) == (None, None)
    assert block.input_ratio == 0


def test_a_manifest_of_an_earlier_version_has_no_estimate() -> None:
    """A job that was split before an update is closed after it."""
    world = dropped(reviews(3), recipe=RECIPE)
    world.split()
    fields = msgspec.json.decode(world.store.read(KEYS.manifest))
    for name in ("estimate", "prices", "lane"):
        del fields[name]
    world.store.write(KEYS.manifest, msgspec.json.encode(fields))
    assert world.close().estimate is None
