"""Decide whether a job uses the API's prompt cache, by what that saves.

The requests of a Message Batch run side by side, so a cold one writes the shared prefix in each request, which costs up
to twice the input price. It pays only after a Message Batch of one request has primed the cache.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from batchdrop.money.cost import BATCH_DISCOUNT, shown_usd
from batchdrop.money.estimate import Estimate
from batchdrop.money.prices import Price, PriceTable
from batchdrop.recipe.keys import Caching
from batchdrop.recipe.lane import Lane

USUAL_HITS = 0.95  # ours: the expected hit rate of primed Message Batches, until this recipe has a history
LEAST_HITS = 0.6  # ours: below it, nothing is marked; a 1-hour write breaks even at about 53 %
LEAST_SAVING = Decimal("0.50")  # ours, in dollars: `auto` primes from here on
LEAST_SHARE = Decimal("0.10")  # ours: … and if it saves this share of the bill
LEAST_SECONDS = 3 * 3600  # ours: what `finish_within` must leave, because priming takes up to 20 minutes
NEAR = 0.5  # ours: a prefix of at least this share of the minimum may pay if it is lengthened
_MILLION = Decimal(1_000_000)


class CachePlan(msgspec.Struct, frozen=True):
    """Whether a job primes the prompt cache, and why. Dollars are those of the job's lane.

    `prefix_tokens` are the estimated tokens that all requests share, `least_tokens` the model's minimum. `hits` is the
    expected hit rate. `saves_usd` is the expected saving: negative if caching would cost more, null if a price is not
    known or the prefix is too short. `warning` is
    for a recipe that says `cache: true` in vain.
    """

    primes: bool
    lane: Lane
    reason: str
    prefix_tokens: int = 0
    least_tokens: int = 0
    hits: float = USUAL_HITS
    saves_usd: Decimal | None = None
    warning: str = ""

    @property
    def is_notable(self) -> bool:
        """Return whether to show it: it primes, it warns, or the prefix is near or above the model's minimum."""
        return self.primes or bool(self.warning) or self.prefix_tokens >= NEAR * self.least_tokens

    @property
    def sentence(self) -> str:
        """Return the decision and its reason, in one line."""
        return f"{'primed' if self.primes else 'not used'}: {self.reason}"


def plan_cache(
    wish: Caching,
    estimate: Estimate,
    *,
    lane: Lane,
    prefix_tokens: float,
    prices: PriceTable,
    hits: float | None = None,
    seconds_left: float | None = None,
    obstacle: str = "",
) -> CachePlan:
    """Return the plan of a job with this estimate. `hits` is the hit rate of this recipe's earlier primed jobs.

    `wish` is the recipe's `system.cache`. `seconds_left` is what `finish_within` leaves. `obstacle` says why nothing
    can prime the cache.
    """
    prospect = _Prospect(estimate, lane, prefix_tokens, prices, USUAL_HITS if hits is None else hits)
    reason, primes = prospect.verdict(wish)
    if primes and obstacle:
        reason, primes = obstacle, False
    if primes and lane == "batch" and seconds_left is not None and seconds_left < LEAST_SECONDS:
        reason, primes = f"finish_within leaves less than {LEAST_SECONDS // 3600} h, and priming takes time", False
    return CachePlan(
        primes,
        lane,
        reason,
        round(prefix_tokens),
        prospect.least,
        prospect.hits,
        prospect.saves,
        warning="" if primes or wish is not True else f"system.cache: true: nothing is cached: {reason}",
    )


class _Prospect:
    """The expected saving of caching in one job."""

    def __init__(self, estimate: Estimate, lane: Lane, prefix_tokens: float, prices: PriceTable, hits: float) -> None:
        [self._model] = estimate.models if len(estimate.models) == 1 else [""]
        self._estimate = estimate
        self._lane = lane
        self._prices = prices
        self._price = _price(estimate, self._model, prices)
        self._prefix = prefix_tokens
        self._discount = BATCH_DISCOUNT if lane == "batch" else Decimal(1)
        self.hits = hits
        self.least = prices.least_prefix(self._model)
        self._is_short = prefix_tokens * (1 + estimate.band) < self.least
        self.saves = None if self._price is None or self._is_short else self._saving(self._price)

    def verdict(self, wish: Caching) -> tuple[str, bool]:
        """Return the reason, and whether the job primes the cache."""
        if wish is False:
            return "the recipe says cache: false", False
        if not self._model:
            return "the requests name several models", False
        if self._is_short:
            shared = f"the requests share about {self._prefix:,.0f} tokens"
            return f"{shared}, and {self._model} caches {self.least:,} or more{self._longer()}", False
        if self.saves is None:
            return f"the price of {self._model} is not known, or changes with the length of a prompt", False
        if self.hits < LEAST_HITS:
            return f"only {self.hits:.0%} of this recipe's requests read the cache before", False
        return self._by_saving(wish, self.saves)

    def _by_saving(self, wish: Caching, saves: Decimal) -> tuple[str, bool]:
        at = f"at a hit rate of {self.hits:.0%}"
        if saves <= 0:
            return f"it would cost {shown_usd(-saves)} more {at}", False
        bill = self._estimate.usd(self._lane, self._prices)
        share = saves / bill.expected if bill and bill.expected else Decimal(0)
        saving = f"{shown_usd(saves)} ({share:.0%}) {at}"
        if wish is True or (saves >= LEAST_SAVING and share >= LEAST_SHARE):
            return f"it is expected to save {saving}", True
        return f"it would save only {saving}; auto primes from {shown_usd(LEAST_SAVING)} and {LEAST_SHARE:.0%}", False

    def _saving(self, price: Price) -> Decimal:
        """Return the saving if all requests but the pilot read at this rate, and the others write for an hour."""
        each = price.input - self._with_hits(price)
        tokens = Decimal(round(self._prefix)) / _MILLION * self._discount
        return tokens * (each * (self._estimate.requests - 1) - (price.cache_write_1h - price.input))

    def _longer(self) -> str:
        """Return that more examples would pay, and from which hit rate; empty if they would not."""
        price = self._price
        if price is None or self._prefix < self.least * NEAR:
            return ""
        now = price.input * Decimal(round(self._prefix))
        each = (now - self._with_hits(price) * self.least) / _MILLION * self._discount
        saves = each * self._estimate.requests
        if saves < LEAST_SAVING:
            return ""
        rate = (price.cache_write_1h - now / self.least) / (price.cache_write_1h - price.cache_read)
        return (
            f". More examples, {self.least:,} tokens in all, would save about {shown_usd(saves)}, from {rate:.0%} hits"
        )

    def _with_hits(self, price: Price) -> Decimal:
        """Return the price of the prefix at the expected hit rate."""
        rate = Decimal(str(self.hits))
        return price.cache_read * rate + price.cache_write_1h * (1 - rate)


def _price(estimate: Estimate, model: str, prices: PriceTable) -> Price | None:
    """Return the model's price; None if it is not known, or if some prompts are beyond the price step."""
    known = prices.of_model(model) if model else None
    is_plain = all(part.step == "below" or (known and known.long_prompt is None) for part in estimate.parts)
    return known.standard if known and is_plain else None
