"""The bill: what would have been charged, when, and how much."""

from decimal import Decimal
from typing import Any

import pytest
from anthropic import Anthropic

from batchdrop.local.claude_api.message_types import CacheCreation, Usage
from batchdrop.local.claude_api.prices import MODELS, TABLE, picodollars, usd
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import MODEL, finished, one, params, post, requests


def usage(**tokens: Any) -> Usage:
    """Usage with nothing but what is given."""
    return Usage(**{"input_tokens": 0, "output_tokens": 0, "service_tier": "batch", **tokens})


def test_requests_are_charged_when_they_are_done(client: Anthropic, emulator: RunningEmulator) -> None:
    """Not when they are accepted, and not only at the end of the batch."""
    emulator.settings(batch_seconds=100)
    client.messages.batches.create(requests=requests(10))
    assert emulator.bill() == []
    emulator.advance(50.5)
    assert emulator.bill_summary()["requests"] == 5
    emulator.advance(100)
    assert emulator.bill_summary()["requests"] == 10


def test_what_nobody_polls_is_charged(client: Anthropic, emulator: RunningEmulator) -> None:
    """A client that dies after its create pays like one that waits: processing is charged, not looking."""
    client.messages.batches.create(requests=requests(10))
    emulator.advance(3600)
    assert emulator.bill_summary()["requests"] == 10
    assert emulator.call_summary()["by_endpoint"] == {"batches.create": {"200": 1}}


def test_a_cancel_stops_the_bill(client: Anthropic, emulator: RunningEmulator) -> None:
    """Only what was done before it is charged, for ever."""
    emulator.settings(batch_seconds=100)
    batch = client.messages.batches.create(requests=requests(10))
    emulator.advance(35)
    client.messages.batches.cancel(batch.id)
    emulator.advance(86400)
    assert (
        emulator.bill_summary()["requests"] == client.messages.batches.retrieve(batch.id).request_counts.succeeded == 3
    )


def test_entries_say_what_for(client: Anthropic, emulator: RunningEmulator) -> None:
    """Both lanes, the batch at half the price, and the summary adds up."""
    batch = client.messages.batches.create(requests=[{"custom_id": "row-0", "params": params("same")}])
    live = client.messages.create(**params("same"))
    emulator.advance(3600)
    first, second = emulator.bill()
    assert (first["custom_id"], first["batch_id"], first["lane"], first["model"]) == ("row-0", batch.id, "batch", MODEL)
    assert (second["custom_id"], second["batch_id"], second["lane"]) == (None, None, "live")
    assert second["usage"] == {
        **live.usage.to_dict(exclude_unset=True),
        "cache_creation": second["usage"]["cache_creation"],
    }
    assert Decimal(second["usd"]) == 2 * Decimal(first["usd"]) > 0
    assert first["prompt_digest"] == second["prompt_digest"]
    summary = emulator.bill_summary()
    assert Decimal(summary["usd"]) == Decimal(first["usd"]) + Decimal(second["usd"])
    assert summary["by_batch"] == {batch.id: {"requests": 1, "usd": first["usd"]}}
    assert summary["tokens"]["input_tokens"] == 2 * live.usage.input_tokens
    assert (summary["duplicate_custom_ids"], summary["duplicate_prompts"]) == (0, 1)


def test_one_million_tokens_cost_the_listed_price() -> None:
    """Each rate of each model, standard and half."""
    million = 1_000_000
    prompt_free = MODELS["claude-opus-5-5"]
    price = picodollars("claude-opus-5-5", usage(input_tokens=million), half=False)
    assert Decimal(usd(price)) == prompt_free.input == 4
    assert usd(picodollars("claude-opus-5-5", usage(output_tokens=million), half=True)) == "10"
    creation = CacheCreation(ephemeral_5m_input_tokens=million // 2, ephemeral_1h_input_tokens=million // 2)
    written = usage(cache_creation_input_tokens=million, cache_creation=creation)
    assert usd(picodollars("claude-opus-5-5", written, half=False)) == "6.5"
    assert usd(picodollars("claude-opus-5-5", usage(cache_read_input_tokens=million), half=False)) == "0.2"


def test_haiku_5_5_costs_more_for_a_long_prompt() -> None:
    """Over 100,000 tokens of prompt, cached ones included, the whole request is at the higher price."""
    at_most = usage(input_tokens=100_000, output_tokens=1000)
    over = usage(input_tokens=50_000, cache_read_input_tokens=50_001, output_tokens=1000)
    assert usd(picodollars(MODEL, at_most, half=False)) == "0.0105"
    assert (
        Decimal(usd(picodollars(MODEL, over, half=False)))
        == (50_000 * Decimal("0.5") + 50_001 * Decimal("0.05") + 1000 * Decimal("2.5")) / 1_000_000
    )


def test_prices_are_whole_numbers_of_the_unit() -> None:
    """No rate, halved, loses anything in integers of 1e-12 USD a token."""
    for model in MODELS.values():
        for rates in (model, model.long_prompt):
            if rates is not None:
                for price in (rates.input, rates.output, rates.write_5m, rates.write_1h, rates.read):
                    assert (price * 10**6 / 2) % 1 == 0


def test_the_table_has_a_date_and_a_source() -> None:
    """And knows dated names of the same model."""
    assert TABLE.date == "2026-11-22"
    assert TABLE.source
    assert MODELS["claude-haiku-4-5-20251001"] is MODELS["claude-haiku-4-5"]


def test_an_unknown_model_has_no_price() -> None:
    """It is never free."""
    with pytest.raises(KeyError):
        picodollars("claude-9", usage(input_tokens=1), half=True)


@pytest.mark.parametrize(("max_uses", "searches"), [(3, 3), (None, 2)])
def test_searches_and_geography_are_billed(
    emulator: RunningEmulator, client: Anthropic, max_uses: int | None, searches: int
) -> None:
    """A fee for each search, the same in both lanes; inference in the US costs a tenth more."""
    tool = {"type": "web_search_20260209", "name": "web_search", "max_uses": max_uses}
    answer = post(emulator, params(tools=[tool], inference_geo="us"), "/v1/messages").json()
    plain = post(emulator, params(tools=[tool]), "/v1/messages").json()
    assert answer["usage"]["server_tool_use"] == {"web_search_requests": searches, "web_fetch_requests": 0}
    assert answer["usage"]["inference_geo"] == "us"
    kinds = [block["type"] for block in answer["content"]]
    assert kinds == ["text", *["server_tool_use", "web_search_tool_result"] * searches, "text"]
    finished(client, emulator, one("Say something.", tools=[tool]))
    usd = {entry["usage"]["inference_geo"] + entry["lane"]: Decimal(entry["usd"]) for entry in emulator.bill()}
    fee = searches * Decimal("0.01")
    tokens = usd["not_availablelive"] - fee
    assert plain["usage"]["input_tokens"] == answer["usage"]["input_tokens"]
    assert usd["uslive"] - fee == tokens * Decimal("1.1")
    assert usd["not_availablebatch"] - fee == tokens / 2
