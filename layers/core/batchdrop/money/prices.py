"""The price table: the one that ships with batchdrop, overridden by the user's own.

The user's own table is `recipes/prices.yaml`, in the same format. A model that neither table has, has no price.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from batchdrop.errors import PricesRejected
from batchdrop.recipe.words import kind, nearest

PRICES_FILE = "prices.yaml"
MULTIPLIERS = ("inference_geo", "service_tier", "speed")
PRICES_KEY = f"recipes/{PRICES_FILE}"
LEAST_PREFIX = 4_096  # tokens: the largest minimum of any model's prompt cache, for a model whose minimum is not known


class Price(msgspec.Struct, frozen=True):
    """Dollars per million tokens, standard price."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


class Fees(msgspec.Struct, frozen=True):
    """Fees of an answer beside its tokens, and factors of the price of its tokens.

    `web_search_per_1000` is in dollars, the same in both lanes. `inference_geo`, `service_tier` and `speed` map the
    usage's values to multipliers; a value that is missing has no known price. None: as in the shipped table.
    """

    web_search_per_1000: Decimal | None = None
    inference_geo: dict[str, Decimal] = {}
    service_tier: dict[str, Decimal] = {}
    speed: dict[str, Decimal] = {}

    def over(self, base: Fees) -> Fees:
        """Return these fees, and the others' where these say nothing."""
        return Fees(
            base.web_search_per_1000 if self.web_search_per_1000 is None else self.web_search_per_1000,
            *({**getattr(base, name), **getattr(self, name)} for name in MULTIPLIERS),
        )


class ModelPrice(msgspec.Struct, frozen=True):
    """A model's price, and its price for long prompts if that differs.

    `least_prefix` (tokens): the API silently does not cache a shorter prefix; None if it is not known.
    """

    standard: Price
    long_prompt: Price | None = None
    least_prefix: int | None = None


class PriceTable(msgspec.Struct, frozen=True):
    """Known prices, with their date and source. `own` is the user's table, if it overrides this one."""

    date: str
    source: str
    models: dict[str, ModelPrice]
    own: PriceTable | None = None
    fees: Fees = Fees()

    def of_model(self, model: str) -> ModelPrice | None:
        """Return a model's price; `claude-haiku-4-5-20251001` costs the same as `claude-haiku-4-5`."""
        return self.models.get(model) or self.models.get(_without_date(model))

    def least_prefix(self, model: str) -> int:
        """Return the tokens of the shortest prefix that the prompt cache keeps."""
        own, shipped = self.of_model(model), price_table().of_model(model)
        return (own and own.least_prefix) or (shipped and shipped.least_prefix) or LEAST_PREFIX

    @property
    def dates(self) -> str:
        """Return the date of the prices, as text for outputs."""
        return self.date if self.own is None else f"{self.date}, your own prices of {self.own.date}"

    @property
    def sources(self) -> str:
        """Return the source of the prices, as text for outputs."""
        return self.source if self.own is None else f"{self.source}; your own prices: {self.own.source}"


@cache
def price_table() -> PriceTable:
    """Return the table that ships with the package."""
    text = resources.files("batchdrop.money").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(text, type=PriceTable)


def effective(own: PriceTable | None) -> PriceTable:
    """Return the shipped table, overridden by the user's own, model by model."""
    shipped = price_table()
    if own is None:
        return shipped
    models = {**shipped.models, **own.models}
    return msgspec.structs.replace(shipped, models=models, own=own, fees=own.fees.over(shipped.fees))


def parse_prices(fields: object, *, name: str) -> PriceTable:
    """Check the YAML fields of a user's own table. Messages call the file `name`.

    Raises PricesRejected with the key, the fault and the fix.
    """
    if isinstance(fields, dict) and ("model" in fields or "prompt" in fields):
        message = (
            f"{name}: this is a recipe, but the name is reserved for your own prices; give the recipe another name"
        )
        raise PricesRejected(message)
    table = _mapping(fields, ("date", "source", "models", "fees"), name, "", optional=("fees",))
    models = table["models"]
    if not isinstance(models, dict) or not models:
        raise _fault(name, "models", f"it is {_shown(models)}; write one mapping per model")
    return PriceTable(
        date=_date(table["date"], name),
        source=_words(table["source"], name),
        models={str(model): _model_price(spec, name, f"models.{model}") for model, spec in models.items()},
        fees=_fees(table["fees"], name) if "fees" in table else Fees(),
    )


def _fees(spec: object, name: str) -> Fees:
    known = ("web_search_per_1000", *MULTIPLIERS)
    held = _mapping(spec, known, name, "fees", optional=known)
    search = held.get("web_search_per_1000")
    factors = {what: _factors(held.get(what, {}), name, f"fees.{what}") for what in MULTIPLIERS}
    return Fees(None if search is None else _dollars(search, name, "fees.web_search_per_1000"), **factors)


def _factors(spec: object, name: str, path: str) -> dict[str, Decimal]:
    if not isinstance(spec, dict):
        raise _fault(name, path, f"it is {_shown(spec)}; write a mapping of values to factors, such as {{us: 1.1}}")
    return {str(value): _dollars(factor, name, f"{path}.{value}") for value, factor in spec.items()}


def _model_price(spec: object, name: str, path: str) -> ModelPrice:
    more = ("long_prompt", "least_prefix")
    held = _mapping(spec, ("standard", *more), name, path, optional=more)
    long_prompt = held.get("long_prompt")
    return ModelPrice(
        _price(held["standard"], name, f"{path}.standard"),
        None if long_prompt is None else _price(long_prompt, name, f"{path}.long_prompt"),
        _tokens(held["least_prefix"], name, f"{path}.least_prefix") if "least_prefix" in held else None,
    )


def _tokens(value: object, name: str, path: str) -> int:
    if type(value) is not int or value < 1:
        raise _fault(name, path, f"it is {_shown(value)}; write a whole number of tokens, such as 1024")
    return value


def _price(spec: object, name: str, path: str) -> Price:
    kinds = Price.__struct_fields__
    held = _mapping(spec, kinds, name, path)
    return Price(**{what: _dollars(held[what], name, f"{path}.{what}") for what in kinds})


def _mapping(
    fields: object, known: tuple[str, ...], name: str, path: str, *, optional: tuple[str, ...] = ()
) -> dict[Any, Any]:
    """Return a mapping that has exactly these keys. Raises PricesRejected."""
    if not isinstance(fields, dict):
        reason = f"it is {_shown(fields)}; write a mapping of {', '.join(known)}"
        raise _fault(name, path, reason)
    for key in fields:
        if key not in known:
            raise _fault(name, path, f"unknown key '{key}'{nearest(key, known)} (known keys: {', '.join(known)})")
    missing = [key for key in known if key not in fields and key not in optional]
    if missing:
        raise _fault(name, path, f"'{missing[0]}' is missing; write all of {', '.join(known)}")
    return fields


def _dollars(value: object, name: str, path: str) -> Decimal:
    """Return a price, exactly as written in YAML; a quoted number is accepted, too."""
    try:
        amount = Decimal("" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        raise _fault(name, path, f"it is {_shown(value)}; write dollars per million tokens, such as 2.5") from None
    if not amount.is_finite() or amount < 0:
        raise _fault(name, path, f"{amount} is not a price; write dollars per million tokens, such as 2.5")
    return amount


def _date(value: object, name: str) -> str:
    """Return the date in ISO format; YAML reads an unquoted one as a date."""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise _fault(
            name, "date", f"it is {_shown(value)}; write the date on which you read the prices, such as 2026-12-01"
        ) from None


def _words(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _fault(name, "source", f"it is {_shown(value)}; write the source of the prices, in one line")
    return " ".join(value.split())


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) and value.strip() else kind(value)


def _fault(name: str, path: str, reason: str) -> PricesRejected:
    return PricesRejected(f"{name}: key '{path}': {reason}" if path else f"{name}: {reason}")


def _without_date(model: str) -> str:
    return re.sub(r"-\d{8}$", "", model)
