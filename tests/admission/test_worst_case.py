"""The worst case: never below what the API bills, and known before anything is sent."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from batchdrop.admission.worst_case import WorstCase, worst_of_leftovers, worst_of_shard
from batchdrop.answers.tokens import Tokens
from batchdrop.errors import RecipeRejected
from batchdrop.job.manifest import ShardItem
from batchdrop.local.claude_api.tokens import count_tokens
from batchdrop.money.cost import dollars
from batchdrop.recipe.recipe import Recipe, parse_recipe

HAIKU = "claude-haiku-5-5"
TEXTS = [
    "",
    "short",
    "a longer text in plain English. " * 50,
    "日本語のテキスト" * 40,
    'def f(x):\n    return {"x": x}\n' * 30,
]


def _params(text: str, max_tokens: int = 64, **more: Any) -> bytes:
    params = {"model": HAIKU, "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}], **more}
    return json.dumps(params, ensure_ascii=False).encode()


def _recipe(**keys: Any) -> Recipe:
    return parse_recipe({"model": HAIKU, "prompt": "p", "max_tokens": 100, **keys}, name="r")


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_it_is_above_what_is_billed(text: str) -> None:
    """Whatever the text: its own tokens, and an answer that takes all of max_tokens."""
    worst = WorstCase(HAIKU).add(_params(text))
    billed = dollars([Tokens(HAIKU, lane="live", input=count_tokens(text, HAIKU) + 20, output=64)])
    assert billed is not None
    assert worst >= billed


def test_it_adds_up() -> None:
    """What it was told of, request by request."""
    worst = WorstCase(HAIKU)
    assert worst.add(_params("a")) + worst.add(_params("b", 128)) == worst.usd


def test_twice_the_room_may_cost_twice_the_answer() -> None:
    """`max_tokens` is the request's own, so raised requests count as what they may take."""
    once, twice = (WorstCase(HAIKU).add(_params("a", room)) for room in (1_000, 2_000))
    assert twice - once == Decimal("0.5") * 1_000 / 1_000_000


def test_a_prompt_that_may_be_long_costs_the_long_price() -> None:
    """The whole request, from where the estimate with its margin passes the step."""
    worst = WorstCase(HAIKU)
    assert worst.of(66_000, 0) < Decimal("0.011")
    assert worst.of(67_000, 0) > Decimal("0.05")
    assert worst.of(660_000, 0, requests=10) < Decimal("0.11")


def test_a_cached_prompt_may_be_written_each_time() -> None:
    """Hits are not certain in a Message Batch, and a write for an hour costs twice the input."""
    cached = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    plain = WorstCase(HAIKU).of(1_000, 0)
    assert WorstCase(HAIKU).of(1_000, 0, is_cached=True) == 2 * plain
    with_system = _params("a", system=cached)
    assert WorstCase(HAIKU).add(with_system) > WorstCase(HAIKU).add(
        with_system.replace(b"cache_control", b"cache_contro_")
    )


def test_no_price_no_cap() -> None:
    """What nobody can reckon is refused, with the way out."""
    with pytest.raises(RecipeRejected, match=r"r\.yaml: .* the price of claude-new-9 is not known.*remove"):
        WorstCase("claude-new-9", name="r.yaml")


def test_a_shard_knows_its_own() -> None:
    """From the requests themselves; else from its tokens; else from its bytes, which is never less."""
    recipe = _recipe()
    item = ShardItem(0, rows=10, requests=10, bytes=40_000, worst_usd=Decimal("0.5"))
    assert worst_of_shard(item, recipe) == Decimal("0.5")
    counted = ShardItem(0, rows=10, requests=10, bytes=40_000, input_tokens=10_000, max_output_tokens=1_000)
    assert worst_of_shard(counted, recipe) == WorstCase(HAIKU).of(10_000, 1_000, requests=10)
    unknown = ShardItem(0, rows=10, requests=10, bytes=40_000)
    assert worst_of_shard(unknown, recipe) > worst_of_shard(counted, recipe)


def test_leftovers_nobody_has_priced_are_their_share() -> None:
    """Twice as much where cut answers are asked again with twice the room."""
    item = ShardItem(0, rows=10, requests=10, bytes=40_000, worst_usd=Decimal(1))
    assert worst_of_leftovers(item, _recipe(), 3) == Decimal("0.3")
    assert worst_of_leftovers(item, _recipe(retry={"max_tokens": "x2"}), 3) == Decimal("0.6")
