"""Estimate a job's cost before anything is sent: tokens, and dollars in each lane, with bounds.

Input tokens are estimated from the requests' text, within `INPUT_BAND` and `ROUNDING`. An answer has at least one
token and at most `max_tokens`; `answer_tokens` gives the expected number. The bounds assume that every request is
answered; a request that fails costs nothing.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Literal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.money.answer_tokens import LEAST_ANSWER
from batchdrop.money.cost import LONG_PROMPT_TOKENS, dollars
from batchdrop.money.prices import PriceTable, price_table
from batchdrop.money.prompt_tokens import SEARCH_RESULT_TOKENS, tokeniser
from batchdrop.recipe.lane import Lane

INPUT_BAND = (
    0.10  # benchmarks/estimate_error.py: at most 2.1 % off for 13 kinds of table, on the emulator; the rest is margin
)
ASSUMED_SHARE = 0.15  # ours: of the rows, escalated to the other model; the recipe's first job shows the true share
ROUNDING = 2  # tokens per request: the error of rounding its texts; it matters if prompts are a few words
LANES: tuple[Lane, ...] = ("batch", "live")

_SEARCHES = ("searches", "searching")
Bound = Literal["low", "expected", "high"]
Step = Literal["below", "near", "above"]  # a prompt's size, compared with the price step of long prompts


class Range(msgspec.Struct, frozen=True):
    """Dollars: the lower bound, the expected sum and the upper bound."""

    low: Decimal
    expected: Decimal
    high: Decimal


class TokenRange(msgspec.Struct, frozen=True):
    """Tokens: likewise."""

    low: int
    expected: int
    high: int


class EscalationCosts(msgspec.Struct, frozen=True):
    """Expected dollars of a job that escalates: without any, with `share` of its rows escalated, and with all."""

    to: str
    share: float
    none: Decimal
    expected: Decimal
    all: Decimal


class EstimatedRequests(msgspec.Struct):
    """Estimated tokens of all requests with the same price per token.

    `cacheable` is the part of the input that the prompt cache may write or serve. `reread` is the part of
    `cacheable` that all requests share, if a pilot primes the cache for them. `max_output` is the most that their
    answers may have if each is sent once.
    `geo` is their `inference_geo`. `searches` is the most web searches of all; `searching` counts the requests that may
    run one. `most_tokens` is the largest `max_tokens`.
    """

    model: str
    step: Step = "below"
    requests: int = 0
    input: float = 0
    cacheable: float = 0
    reread: float = 0
    expected_output: int = 0
    max_output: int = 0
    geo: str = ""
    searches: int = 0
    searching: int = 0
    most_tokens: int = 0

    def merge(self, other: EstimatedRequests) -> None:
        """Add other requests of the same price."""
        self.most_tokens = max(self.most_tokens, other.most_tokens)
        for name in ("requests", "input", "cacheable", "reread", "expected_output", "max_output", *_SEARCHES):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Estimate(msgspec.Struct):
    """The estimate of many requests.

    A row's prompt is paid for at most `paid_prompts` times, and its answers at most for `paid_answers` times
    `max_tokens`: these include `retry`. `band` is the largest error of the input, as a share of it. `hits` is the share
    of `reread` that is expected to be read from the cache; the rest is written. `other` is the model to which rows are
    escalated, empty for none, and `other_answers` is its largest answer, in units of `max_tokens`. `alone` are the rows
    of packs as requests of their own, which the upper bound includes: at worst, each is sent again.
    """

    parts: list[EstimatedRequests] = []
    paid_prompts: int = msgspec.field(default=1, name="input_asks")
    paid_answers: int = msgspec.field(default=1, name="output_asks")
    band: float = INPUT_BAND
    hits: float = 0.0
    other: str = ""
    other_answers: int = 1
    alone: list[EstimatedRequests] = []

    @property
    def requests(self) -> int:
        """Return the number of estimated requests."""
        return sum(part.requests for part in self.parts)

    @property
    def input_tokens(self) -> int:
        """Return the tokens of all prompts."""
        return round(sum(part.input for part in self.parts))

    @property
    def max_output_tokens(self) -> int:
        """Return the most tokens that all answers may have, if each request is sent once."""
        return sum(part.max_output for part in self.parts)

    @property
    def output_tokens(self) -> TokenRange:
        """Return the tokens of all answers. The upper bound includes the repeats that `retry` allows."""
        expected = sum(part.expected_output for part in self.parts)
        return TokenRange(LEAST_ANSWER * self.requests, expected, self.max_output_tokens * self.paid_answers)

    @property
    def web_searches(self) -> int:
        """Return the most web searches, including the repeats that `retry` allows."""
        return self.paid_prompts * sum(part.searches for part in self.parts)

    @property
    def models(self) -> list[str]:
        """Return the models that the requests name."""
        return sorted({part.model for part in self.parts})

    @property
    def most_tokens(self) -> dict[str, int]:
        """Return the largest `max_tokens` of each model's requests."""
        return {model: max(part.most_tokens for part in self.parts if part.model == model) for model in self.models}

    def unpriced(self, prices: PriceTable | None = None) -> list[str]:
        """Return the models without a known price."""
        table = prices or price_table()
        named = [*self.models, *([self.other] if self.other else [])]
        return [model for model in named if table.of_model(model) is None]

    def part(self, model: str, step: Step, geo: str = "") -> EstimatedRequests:
        """Return the sums of one price; adds them if they are missing."""
        for part in self.parts:
            if (part.model, part.step, part.geo) == (model, step, geo):
                return part
        self.parts.append(EstimatedRequests(model, step, geo=geo))
        return self.parts[-1]

    def merge(self, other: Estimate) -> None:
        """Add another shard's estimate."""
        for part in other.parts:
            self.part(part.model, part.step, part.geo).merge(part)

    def scaled(self, ratio: float, band: float) -> Estimate:
        """Return a copy with the input scaled: a sample showed `ratio` times as many tokens, within `band`."""
        parts = [
            msgspec.structs.replace(
                part, input=part.input * ratio, cacheable=part.cacheable * ratio, reread=part.reread * ratio
            )
            for part in self.parts
        ]
        return msgspec.structs.replace(self, parts=parts, band=band)

    def primed(self, prefix_tokens: float, hits: float) -> Estimate:
        """Return a copy in which a pilot primes the cache with a prefix that all requests share."""
        parts = []
        for part in self.parts:
            shared = min(part.input, prefix_tokens * part.requests)
            parts.append(msgspec.structs.replace(part, cacheable=max(shared, part.cacheable), reread=shared))
        return msgspec.structs.replace(self, parts=parts, hits=hits)

    def usd(self, lane: Lane, prices: PriceTable | None = None, *, high_lane: Lane | None = None) -> Range | None:
        """Return the dollars in a lane; None if a price is not known.

        `high_lane` is the lane where the job may end; the upper bound is for it. With escalation, the expected sum
        assumes ASSUMED_SHARE of the rows, and the upper bound all of them.
        """
        low = dollars([_at_least(part, self.band, lane) for part in self.parts], prices)
        expected = dollars([_probably(part, self.hits, lane) for part in self.parts], prices)
        most = [self._at_most(part, high_lane or lane) for part in (*self.parts, *self.alone)]
        high = dollars(most, prices)
        if low is None or expected is None or high is None:
            return None
        if not self.other:
            return Range(low, expected, high)
        again = self.by_other.usd(lane, prices, high_lane=high_lane)
        share = Decimal(str(ASSUMED_SHARE))
        return again and Range(low, expected + share * again.expected, high + again.high)

    @property
    def by_other(self) -> Estimate:
        """Return the estimate of all rows at the other model, which has no part of the prompt in its cache."""
        parts = []
        for part in self.parts:
            longer = tokeniser(self.other) / tokeniser(part.model)
            expected = round(part.expected_output * longer)
            parts.append(
                msgspec.structs.replace(
                    part, model=self.other, input=part.input * longer, cacheable=0, reread=0, expected_output=expected
                )
            )
        return Estimate(parts=parts, paid_answers=self.other_answers, band=self.band)

    def escalation_usd(self, lane: Lane, prices: PriceTable | None = None) -> EscalationCosts | None:
        """Return the expected dollars with and without escalation; None if there is none, or a price is not known."""
        if not self.other:
            return None
        none = dollars([_probably(part, self.hits, lane) for part in self.parts], prices)
        again = self.by_other.usd(lane, prices)
        if none is None or again is None:
            return None
        expected = none + Decimal(str(ASSUMED_SHARE)) * again.expected
        return EscalationCosts(self.other, ASSUMED_SHARE, none, expected, none + again.expected)

    def _at_most(self, part: EstimatedRequests, lane: Lane) -> Tokens:
        """Return the tokens if prompts are as large as possible, nothing is cached, and `retry` happens in full."""
        most = (1 + self.band) * (part.input - part.cacheable) + ROUNDING * part.requests
        most += part.searches * SEARCH_RESULT_TOKENS
        return Tokens(
            part.model,
            long_prompt=part.step != "below" or (part.searches > 0 and most > LONG_PROMPT_TOKENS * part.requests),
            lane=lane,
            geo=part.geo,
            web_searches=part.searches * self.paid_prompts,
            input=math.ceil(most * self.paid_prompts),
            cache_write_1h=math.ceil(part.cacheable * (1 + self.band) * self.paid_prompts),
            output=part.max_output * self.paid_answers,
        )


def _at_least(part: EstimatedRequests, band: float, lane: Lane) -> Tokens:
    """Return the tokens if prompts are as small as possible, the cache serves all it can, and answers are empty."""
    least = (part.input - part.cacheable) * (1 - band) - ROUNDING * part.requests
    return Tokens(
        part.model,
        long_prompt=part.step == "above",
        lane=lane,
        geo=part.geo,
        input=max(0, math.floor(least)),
        cache_read=math.floor(part.cacheable * (1 - band)),
        output=part.requests * LEAST_ANSWER,
    )


def _probably(part: EstimatedRequests, hits: float, lane: Lane) -> Tokens:
    """Return the expected tokens: of the shared part, `hits` is read from the cache; one search a request."""
    written = part.reread * (1 - hits)
    return Tokens(
        part.model,
        long_prompt=part.step == "above" or (part.step == "near" and part.input > LONG_PROMPT_TOKENS * part.requests),
        lane=lane,
        geo=part.geo,
        web_searches=part.searching,
        input=round(part.input - part.reread) + part.searching * SEARCH_RESULT_TOKENS,
        cache_write_1h=round(written),
        cache_read=round(part.reread - written),
        output=part.expected_output,
    )


def step_of(input_tokens: float) -> Step:
    """Return how a prompt compares with the price step, above which the whole request costs more."""
    if input_tokens * (1 + INPUT_BAND) <= LONG_PROMPT_TOKENS:
        return "below"
    return "above" if input_tokens * (1 - INPUT_BAND) > LONG_PROMPT_TOKENS else "near"
