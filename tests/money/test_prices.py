"""A user's own price table: what it may say, what each mistake is told, and how it lies over the shipped one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import yaml

from batchdrop.answers.tokens import Tokens
from batchdrop.errors import PricesRejected
from batchdrop.money.cost import dollars
from batchdrop.money.prices import effective, parse_prices, price_table

MILLION = 1_000_000
PRICE = {"input": 0.1, "output": 3, "cache_write_5m": "1.25", "cache_write_1h": 2, "cache_read": 0}
OWN = """
date: 2026-12-01
source: our contract,
  page 3
models:
  claude-haiku-5-5:
    standard: {input: 0.09, output: 0.45, cache_write_5m: 0.11, cache_write_1h: 0.18, cache_read: 0.009}
  in-house-1:
    standard: {input: 1, output: 2, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0}
"""


def _own(**changes: Any) -> dict[str, Any]:
    return {"date": "2026-12-01", "source": "s", "models": {"m": {"standard": PRICE}}, **changes}


def test_it_lies_over_the_shipped_one() -> None:
    """Its models have its prices, all others the shipped ones; both are named by their date and source."""
    table = effective(parse_prices(yaml.safe_load(OWN), name="prices.yaml"))
    assert dollars([Tokens("claude-haiku-5-5", lane="live", input=MILLION)], table) == Decimal("0.09")
    assert dollars([Tokens("in-house-1", lane="live", output=MILLION)], table) == 2
    assert dollars([Tokens("claude-opus-5-5", lane="live", input=MILLION)], table) == 4
    assert table.dates == f"{price_table().date}, your own prices of 2026-12-01"
    assert table.sources == f"{price_table().source}; your own prices: our contract, page 3"


def test_its_model_is_a_whole_one() -> None:
    """A step for long prompts that it does not name is not taken over from the shipped table."""
    table = effective(parse_prices(yaml.safe_load(OWN), name="prices.yaml"))
    long_prompt = Tokens("claude-haiku-5-5", long_prompt=True, lane="live", input=MILLION)
    assert dollars([long_prompt], table) == Decimal("0.09")
    assert dollars([long_prompt]) == Decimal("0.50")


def test_without_one_the_shipped_table_holds() -> None:
    """Word for word."""
    assert effective(None) is price_table()


def test_numbers_are_taken_as_they_are_written() -> None:
    """No digit is lost on the way through YAML's floats, and a price may be 0 if the user says so."""
    price = parse_prices(_own(), name="p").models["m"].standard
    assert (price.input, price.cache_write_5m, price.cache_read) == (Decimal("0.1"), Decimal("1.25"), Decimal(0))


FAULTS: dict[str, tuple[Any, str]] = {
    "no mapping": (["x"], "p.yaml: it is a list; write a mapping of date, source, models"),
    "empty": (None, "p.yaml: it is empty"),
    "a recipe": ({"model": "m", "prompt": "x"}, "this is a recipe, but the name is reserved for your own prices"),
    "unknown key": (_own(modles={}), "unknown key 'modles'; did you mean 'models'"),
    "no date": ({"source": "s", "models": {}}, "'date' is missing"),
    "a date that is none": (
        _own(date="last week"),
        "key 'date': it is 'last week'; write the date on which you read the prices",
    ),
    "no source": (_own(source=" "), "key 'source'"),
    "no models": (_own(models={}), "key 'models': it is a mapping; write one mapping per model"),
    "a price for a model": (_own(models={"m": 5}), "key 'models.m': it is a number; write a mapping of standard"),
    "no standard": (_own(models={"m": {"long_prompt": PRICE}}), "key 'models.m': 'standard' is missing"),
    "half a price": (_own(models={"m": {"standard": {"input": 1}}}), "key 'models.m.standard': 'output' is missing"),
    "a misspelt kind": (_own(models={"m": {"standard": {**PRICE, "inputs": 1}}}), "unknown key 'inputs'; did you mean"),
    "words for a number": (_own(models={"m": {"standard": {**PRICE, "input": "$2"}}}), r"standard.input': it is '\$2'"),
    "true": (_own(models={"m": {"standard": {**PRICE, "input": True}}}), "standard.input': it is true or false"),
    "below zero": (_own(models={"m": {"standard": {**PRICE, "input": -1}}}), "standard.input': -1 is not a price"),
    "not finite": (_own(models={"m": {"standard": {**PRICE, "input": float("nan")}}}), "input': NaN is not a price"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_each_mistake_is_reported(case: str) -> None:
    """With the file, the key, and what to write."""
    fields, told = FAULTS[case]
    with pytest.raises(PricesRejected, match=rf"^p\.yaml: .*|{told}") as caught:
        parse_prices(fields, name="p.yaml")
    assert told.replace("\\", "") in str(caught.value)
