"""Parameters per row: `model` and `max_tokens` may come from columns, with prices and holds of their own."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from batchdrop.admission.worst_case import WorstCase
from batchdrop.cli.check.checking import check_file
from batchdrop.errors import BudgetReached, RecipeRejected
from tests.fakes import FakeBatchApi, JsonObject, succeeded
from tests.jobs import World, dropped

RECIPE = "model: '{{ model }}'\nmax_tokens: '{{ most }}'\nprompt: 'ask {{ x }}'\n"
TABLE = b"""x,model,most
a,claude-haiku-5-5,100
b, claude-opus-5-5 ,7
c,claude-haiku-55,100
d,,100
e,claude-haiku-5-5,
f,claude-haiku-5-5,many
g,claude-haiku-5-5,0
h,claude-haiku-5-5,999999
i,claude-haiku-5-5,12.0
"""


def _answer(request: JsonObject) -> JsonObject:
    usage = {"input_tokens": 10, "output_tokens": 5, "service_tier": "batch"}
    return succeeded("yes", model=request["params"]["model"], usage=usage)


def _world(body: bytes = TABLE, *, recipe: str = RECIPE) -> World:
    world = dropped(body, recipe=recipe)
    world.api = FakeBatchApi(result_of=_answer)
    return world


def _rows(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(world.result("output.csv").decode(), newline="")))


@pytest.mark.parametrize("lane", ["batch", "live"])
def test_each_row_is_sent_with_its_own(lane: str) -> None:
    """Never the template itself; a row that cannot be sent is rejected, with its reason."""
    world = _world(recipe=f"{RECIPE}lane: {lane}\nsystem: be short\nparams: {{stop_sequences: [END]}}\n")
    world.run()
    sent = [request["params"] for request in world.requests(0)]
    assert [(params["model"], params["max_tokens"]) for params in sent] == [
        ("claude-haiku-5-5", 100),
        ("claude-opus-5-5", 7),
        ("claude-haiku-5-5", 12),
    ]
    assert {(params["system"], *params["stop_sequences"]) for params in sent} == {("be short", "END")}
    errors = {row["x"]: row["_error"] for row in _rows(world) if row["_status"] == "rejected"}
    assert "unknown model 'claude-haiku-55'; did you mean 'claude-haiku-5-5'?" in errors["c"]
    assert "'model' is blank for this row; each row needs one" in errors["d"]
    assert "'max_tokens' is blank" in errors["e"]
    for name in "fg":
        assert "'max_tokens' is not a whole number of 1 or more" in errors[name]
    assert "max_tokens: 999,999 is more than any model writes" in errors["h"]


@pytest.mark.parametrize(
    ("recipe", "sent"),
    [
        ("model: claude-haiku-5-5\nmax_tokens: '{{ most }}'\nprompt: '{{ x }}'\n", ("claude-haiku-5-5", 7)),
        ("model: '{{ model }}'\nprompt: '{{ x }}'\n", ("claude-opus-5-5", 1024)),
        (
            "model: 'claude-{{ row[\"kind\"] }}'\nmax_tokens: '{{ most | int * 2 }}'\nprompt: hi\n",
            ("claude-opus-5", 14),
        ),
        ("model: '{{ none | default(\"claude-opus-5\") }}'\nprompt: '{{ x }}'\n", ("claude-opus-5", 1024)),
    ],
)
def test_one_of_both_may_be_fixed(recipe: str, sent: tuple[str, int]) -> None:
    """And a template may calculate."""
    world = _world(b"x,model,most,kind,none\na,claude-opus-5-5,7,opus-5,\n", recipe=recipe)
    world.split()
    params = world.requests(0)[0]["params"]
    assert (params["model"], params["max_tokens"]) == sent


def test_prices_are_per_row() -> None:
    """In the estimate, in the bill, and in the summary's model."""
    world = _world(b"x,model,most\na,claude-haiku-5-5,100\nb,claude-opus-5-5,100\n")
    summary = world.run()
    each = Decimal("0.5") / 10**6
    assert summary.cost.usd == each * (10 * Decimal("0.1") + 5 * Decimal("0.5") + 10 * 4 + 5 * 20)
    assert summary.model == "claude-haiku-5-5, claude-opus-5-5"
    assert summary.estimate is not None
    assert summary.estimate.usd is not None
    assert summary.estimate.usd.high > each * 100 * (20 + Decimal("0.5"))


def test_holds_are_per_row() -> None:
    """A row of a dear model holds its own worst case."""
    body = b"x,model,most\na,claude-haiku-5-5,100\nb,claude-opus-5-5,100\n"
    world = _world(body, recipe=RECIPE + "max_cost_usd: 1\n")
    world.split()
    worst = WorstCase(None)
    for request in world.requests(0):
        worst.add(json.dumps(request["params"]).encode())
    assert world.manifest.shards[0].worst_usd == worst.usd
    assert worst.usd > Decimal("0.002")
    stopped = _world(body, recipe=RECIPE + "max_cost_usd: 0.0001\n")
    try:
        summary = stopped.run()
    except BudgetReached:
        summary = stopped.close()
    assert summary.cost.usd is not None
    assert summary.cost.usd <= Decimal("0.0001")


def test_a_cap_needs_the_price_of_each_row() -> None:
    """A model that exists, and that no table prices."""
    body = b"x,model,most\na,claude-haiku-5-5,100\nb,claude-fable-5-2,100\n"
    world = _world(body, recipe=RECIPE + "max_cost_usd: 1\n")
    world.run()
    assert "the price of claude-fable-5-2 is not known" in _rows(world)[1]["_error"]
    assert _world(body).split().requests == 2


def test_own_models_are_known() -> None:
    """Listed in the bucket beside the recipe, or priced."""
    world = _world(b"x,model,most\na,claude-next,100\nb,claude-next,101\n")
    world.store.write("recipes/models.yaml", b"models: {claude-next: {max_tokens: 100}}\n")
    assert world.split().requests == 1


def test_thinking_must_fit_each_row() -> None:
    """The budget is less than the row's own max_tokens."""
    recipe = RECIPE + "params: {thinking: {type: enabled, budget_tokens: 2000}}\n"
    world = _world(b"x,model,most\na,claude-opus-5-5,2000\nb,claude-opus-5-5,2001\n", recipe=recipe)
    world.run()
    assert [row["_status"] for row in _rows(world)] == ["rejected", "answered"]
    assert "must be less than max_tokens (2,000)" in _rows(world)[0]["_error"]


def test_a_cut_answer_is_raised_from_its_own_limit() -> None:
    """`retry: {max_tokens: x2}`."""
    world = _world(b"x,model,most\na,claude-haiku-5-5,100\n", recipe=RECIPE + "retry: {max_tokens: x2}\n")
    turns = [succeeded("cut", stop_reason="max_tokens"), succeeded("whole")]
    world.api = FakeBatchApi(in_turn=lambda _request, before: turns[before])
    world.run()
    assert [requests[0]["params"]["max_tokens"] for requests in world.api.created.values()] == [100, 200]


def test_a_sample_of_one_has_its_own_bounds() -> None:
    """The projection takes the dearest limit of the rows."""
    body = b"x,model,most\na,claude-haiku-5-5,100\nb,claude-opus-5-5,100\n"
    world = _world(body, recipe=RECIPE + "sample: 1\n")
    assert world.split().asks == "sample"


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (
            RECIPE.replace("{{ model }}", "{{ modl }}"),
            "uses column 'modl', which f.csv does not have; did you mean 'model'",
        ),
        (
            RECIPE.replace("{{ most }}", "256"),
            "key 'max_tokens': it is text; write a whole number, 1 or more, or a template",
        ),
        (RECIPE.replace("{{ model }}", "{{ model"), "key 'model', line 1"),
        (RECIPE.replace("'{{ most }}'", "0"), "key 'max_tokens'"),
    ],
)
def test_a_broken_template_is_refused(recipe: str, told: str) -> None:
    """Before anything is sent."""
    with pytest.raises(RecipeRejected) as caught:
        _world(recipe=recipe).split()
    assert told in str(caught.value)


def test_the_check_shows_all_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with the largest max_tokens of its rows."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    (tmp_path / "r.yaml").write_text(RECIPE)
    (tmp_path / "f.csv").write_bytes(b"x,model,most\na,claude-haiku-5-5,100\nb,claude-sonnet-4-5,50000\n")
    said = io.StringIO()
    assert check_file(tmp_path / "r.yaml", tmp_path / "f.csv", Console(file=said, width=200))
    assert "claude-sonnet-4-5 is deprecated" in said.getvalue()
    assert "50,000 may be more than claude-sonnet-4-5 takes" in said.getvalue()


LONG = b"x,model,most\na,claude-haiku-5-5,100\nb,claude-haiku-5-5,30000\n"


@pytest.mark.parametrize(("body", "lane"), [(LONG, "batch"), (LONG.replace(b"30000", b"200"), "live")])
def test_a_row_with_a_long_answer_sends_its_job_as_message_batches(body: bytes, lane: str) -> None:
    """`lane: auto` looks at the longest answer, not only at the number of rows; so does the check."""
    world = _world(body, recipe=f"{RECIPE}live_rows: 200\n")
    world.run()
    assert world.manifest.lane == lane
    assert {row["_status"] for row in _rows(world)} == {"answered"}


GOES_LIVE = ("lane: live", "finish_within: 2h", "on_leftovers: live", "sample: {rows: 1, lane: live}")


@pytest.mark.parametrize("key", GOES_LIVE)
def test_a_row_that_the_live_lane_cannot_answer_is_rejected_before_it_is_sent(key: str) -> None:
    """Where the recipe sends rows live: the worker has nothing to find out."""
    world = _world(LONG, recipe=f"{RECIPE}{key}\n")
    world.split()
    reasons = [row.get("error") for item in world.shard_items for row in world.stored_rows(item["shard"])]
    assert "an answer of 30,000 tokens may take 14 minutes, and the live lane has 14" in str(reasons[1])
    assert reasons[0] is None


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("model: claude-haiku-55", "model: unknown model 'claude-haiku-55'; did you mean 'claude-haiku-5-5'?"),
        ("model: claude-haiku-5-5\nmax_tokens: 400000", "max_tokens: 400,000 is more than any model writes"),
    ],
)
def test_a_model_that_the_api_refuses_is_a_fault_at_the_drop(keys: str, told: str) -> None:
    """As in `batchdrop check`: not one Message Batch of errors. A gateway may have models of its own."""
    recipe = f"{keys}\nprompt: '{{{{ x }}}}'\n"
    world = _world(recipe=recipe)
    world.knows_models = True
    with pytest.raises(RecipeRejected, match=re.escape(f"recipes/r.yaml: {told}")):
        world.split()
    world.knows_models = False
    world.split()


PRICED = b"""date: 2026-12-01
source: mine
models:
  claude-haiku-55:
    standard: {input: 1, output: 5, cache_write_5m: 1.25, cache_write_1h: 2, cache_read: 0.1}
"""


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("recipes/models.yaml", b"models: {claude-haiku-55: {}}"),
        ("recipes/prices.yaml", PRICED),
    ],
)
def test_a_model_of_the_users_own_list_is_known_at_the_drop(key: str, body: bytes) -> None:
    """Listed, or priced."""
    world = _world(recipe="model: claude-haiku-55\nprompt: '{{ x }}'\n")
    world.knows_models = True
    world.store.write(key, body)
    world.split()
