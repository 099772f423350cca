"""The highest cost of requests, for a budget that no answer may exceed."""

from __future__ import annotations

import math
from decimal import Decimal

from batchdrop.admission.budget import NOTHING
from batchdrop.answers.tokens import Tokens
from batchdrop.errors import RecipeRejected
from batchdrop.job.manifest import ShardItem
from batchdrop.money.cost import LONG_PROMPT_TOKENS, dollars
from batchdrop.money.prices import PriceTable, price_table
from batchdrop.money.prompt_tokens import SEARCH_RESULT_TOKENS, RequestSize, most_searches, request_size
from batchdrop.recipe.recipe import Recipe

INPUT_MARGIN = Decimal("1.5")  # token estimates are off by at most about a third
EXTRA_TOKENS = 200  # per request: what the API adds (structured answers, message frames)
BYTES_PER_TOKEN = 3  # without a count: CJK text; Latin has four
RAISED = 2  # `retry: {max_tokens: x2}`


class WorstCase:
    """Adds up the highest cost of requests, at the standard price; `usd` is the sum. `model` None: each names its own.

    Every answer takes all of `max_tokens`, every input token may be written to the cache, and every web search that a
    request may run adds its results to the prompt. Fees are not in it (`fees_of`), because they are the same in both
    lanes. Prompts near the model's price step are priced above it. Raises RecipeRejected for a model without a known
    price.
    """

    def __init__(self, model: str | None, *, name: str = "the recipe", prices: PriceTable | None = None) -> None:
        self._model = model
        self._name = name
        self._prices = prices
        if model is not None and dollars([Tokens(model, output=1)], prices) is None:
            message = (
                f"{name}: key 'max_cost_usd': the price of {model} is not known, so the cap cannot be checked; "
                "put its price into recipes/prices.yaml, or remove max_cost_usd"
            )
            raise RecipeRejected(message)
        self.usd = NOTHING

    def add(self, params: bytes) -> Decimal:
        """Add a request by its `params`; return its highest cost."""
        size = request_size(params)
        usd = self._of_size(size, size.max_tokens)
        self.usd += usd
        return usd

    def with_limit(self, params: bytes, *, limit: int, times: int = 1) -> tuple[Decimal, Decimal]:
        """Return a request's highest cost with `times` its `max_tokens`, and with at most `limit` (0: no limit)."""
        size = request_size(params)
        whole = self._of_size(size, size.max_tokens * times)
        return whole, self._of_size(size, min(size.max_tokens, limit)) if limit else whole

    def _of_size(self, size: RequestSize, output_tokens: int) -> Decimal:
        tokens = math.ceil(size.input_tokens) + size.searches * SEARCH_RESULT_TOKENS
        return self.of(tokens, output_tokens, is_cached=size.may_be_cached, geo=size.geo, model=size.model)

    def of(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        is_cached: bool = False,
        requests: int = 1,
        geo: str = "",
        model: str = "",
    ) -> Decimal:
        """Return the highest cost of requests with these estimated tokens, taken to be of equal length.

        `model` counts if each request names its own. Raises RecipeRejected for a geography without a known price.
        """
        most = int(input_tokens * INPUT_MARGIN) + EXTRA_TOKENS * requests
        is_long = most > LONG_PROMPT_TOKENS * requests
        tokens = Tokens(self._model or model, is_long, "live", geo=geo, output=output_tokens)
        if is_cached:
            tokens.cache_write_1h = most
        else:
            tokens.input = most
        usd = dollars([tokens], self._prices)
        if usd is None and geo:
            message = (
                f"{self._name}: key 'max_cost_usd': the price of inference_geo: {geo} is not known, so the cap cannot "
                "be checked; put its factor into recipes/prices.yaml (fees.inference_geo), or remove max_cost_usd"
            )
            raise RecipeRejected(message)
        return usd or NOTHING


def fees_of(recipe: Recipe, requests: int, *, prices: PriceTable | None = None) -> Decimal:
    """Return the highest fees of requests beside their tokens: web searches, at the same price in both lanes."""
    tools = recipe.params.get("tools")
    known = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    searches = sum(most_searches(tool.get("type"), tool.get("max_uses")) for tool in known)
    return search_fee(searches * requests, prices)


def search_fee(searches: int, prices: PriceTable | None = None) -> Decimal:
    """Return the price of web searches; 0 if it is not known, which a cap refuses."""
    each = (prices or price_table()).fees.web_search_per_1000 or NOTHING
    return searches * each / 1_000


def worst_of_shard(item: ShardItem, recipe: Recipe, *, prices: PriceTable | None = None) -> Decimal:
    """Return the highest cost of a shard's first round at the standard price, from the manifest."""
    if item.worst_usd:
        return item.worst_usd
    if recipe.own_model is None or recipe.own_tokens is None:  # such a shard has no cost of its own: it has no requests
        return NOTHING
    tokens = item.input_tokens or item.bytes // BYTES_PER_TOKEN
    output = item.max_output_tokens or item.requests * recipe.own_tokens
    worst = WorstCase(recipe.own_model, prices=prices)
    return worst.of(tokens, output, is_cached=recipe.caching is True, requests=item.requests)


def worst_of_leftovers(item: ShardItem, recipe: Recipe, requests: int, *, prices: PriceTable | None = None) -> Decimal:
    """Return the highest cost of a later round: its requests' share of the shard's, raised for `retry`."""
    share = worst_of_shard(item, recipe, prices=prices) * requests / max(item.requests, 1)
    return share * RAISED if recipe.retry.max_tokens else share
