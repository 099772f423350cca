"""The price of a request, from the emulator's own table, prices.json."""

from decimal import Decimal
from pathlib import Path

import msgspec

from batchdrop.local.claude_api.message_types import Usage

_PICO = 10**12  # sums are integers of 1e-12 USD: half of any price per token is a whole number of them
_PER_MILLION = 10**6


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """$ per million tokens, standard price."""

    input: Decimal
    output: Decimal
    write_5m: Decimal
    write_1h: Decimal
    read: Decimal


class LongPromptRates(Rates, frozen=True, kw_only=True):
    """Rates of the whole request if its prompt is longer than `over_tokens`."""

    over_tokens: int


class Model(Rates, frozen=True, kw_only=True):
    """A model and its rates."""

    long_prompt: LongPromptRates | None = None
    aliases: tuple[str, ...] = ()
    old_tokens: bool = False
    """Whether it is older than 4.7, and uses ~30 % fewer tokens for the same text."""
    least_prefix: int = 1_024
    """The prompt cache silently ignores a shorter prefix (tokens)."""


class PriceTable(msgspec.Struct, frozen=True):
    """The content of prices.json."""

    date: str
    source: str
    models: dict[str, Model]
    web_search: Decimal
    """$ per search, in both lanes."""
    us_inference: Decimal
    """Factor of the price of all tokens with `inference_geo: us`."""


TABLE = msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=PriceTable)
MODELS: dict[str, Model] = {name: model for main, model in TABLE.models.items() for name in (main, *model.aliases)}


def picodollars(model: str, usage: Usage, *, half: bool) -> int:
    """Return the price in 1e-12 USD; raises KeyError for an unknown model. `half`: the batch price."""
    prompt = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    rates = _pico_rates(model, long=_is_long(model, prompt))
    standard = (
        usage.input_tokens * rates[0]
        + usage.output_tokens * rates[1]
        + usage.cache_creation.ephemeral_5m_input_tokens * rates[2]
        + usage.cache_creation.ephemeral_1h_input_tokens * rates[3]
        + usage.cache_read_input_tokens * rates[4]
    )
    if usage.inference_geo == "us":
        standard = int(standard * TABLE.us_inference)
    searches = usage.server_tool_use.web_search_requests if usage.server_tool_use else 0
    return (standard // 2 if half else standard) + searches * int(TABLE.web_search * _PICO)


def usd(pico: int) -> str:
    """Return USD as a plain decimal, e.g. `0.000123`."""
    return format((Decimal(pico) / _PICO).normalize(), "f")


def _is_long(model: str, prompt_tokens: int) -> bool:
    rule = MODELS[model].long_prompt
    return rule is not None and prompt_tokens > rule.over_tokens


def _pico_rates(model: str, *, long: bool) -> tuple[int, ...]:
    return _PICO_RATES[model, long]


def _in_pico(rates: Rates) -> tuple[int, ...]:
    prices = (rates.input, rates.output, rates.write_5m, rates.write_1h, rates.read)
    return tuple(int(price * (_PICO // _PER_MILLION)) for price in prices)


_PICO_RATES = {(name, False): _in_pico(model) for name, model in MODELS.items()} | {
    (name, True): _in_pico(model.long_prompt) for name, model in MODELS.items() if model.long_prompt
}
