"""What a job will roughly cost, before anything is sent: tokens, and dollars in each lane, with bounds.

Input is reckoned from the requests' text, and off by at most `INPUT_BAND` and `ROUNDING`. Output is known to have at
least a token an answer and at most `max_tokens`; what is expected goes by `answer_tokens`. The bounds are for requests
that are all answered: one that fails for good costs nothing.
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
from batchdrop.recipe.lane import Lane

INPUT_BAND = (
    0.10  # benchmarks/estimate_error.py: 2.1 % at worst of 13 kinds of table, on the emulator; the rest is room
)
ROUNDING = 2  # tokens a request: what rounding its texts may come to, which counts where prompts are a few words
LANES: tuple[Lane, ...] = ("batch", "live")

Bound = Literal["low", "expected", "high"]
Step = Literal["below", "near", "above"]  # where a prompt lies to the price step of long ones


class Range(msgspec.Struct, frozen=True):
    """A sum of dollars: what it is at least, probably, and at most."""

    low: Decimal
    expected: Decimal
    high: Decimal


class TokenRange(msgspec.Struct, frozen=True):
    """Likewise, of tokens."""

    low: int
    expected: int
    high: int


class Reckoned(msgspec.Struct):
    """Requests that cost the same a token: what they are reckoned to hold, all together.

    `cacheable` of the input may be written to the prompt cache or read from it; of these, `reread` is what all
    requests share. `max_output` is what their answers may have when each is asked once.
    """

    model: str
    step: Step = "below"
    requests: int = 0
    input: float = 0
    cacheable: float = 0
    reread: float = 0
    expected_output: int = 0
    max_output: int = 0

    def merge(self, other: Reckoned) -> None:
        """Add other requests of the same price."""
        for name in ("requests", "input", "cacheable", "reread", "expected_output", "max_output"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Estimate(msgspec.Struct):
    """The estimate of many requests.

    A row is paid for at most `input_asks` times, with `output_asks` times `max_tokens` in all: what `retry` allows.
    `band` is by how much the input may be off, as a share of it.
    """

    parts: list[Reckoned] = []
    input_asks: int = 1
    output_asks: int = 1
    band: float = INPUT_BAND

    @property
    def requests(self) -> int:
        """Return how many requests were reckoned."""
        return sum(part.requests for part in self.parts)

    @property
    def input_tokens(self) -> int:
        """Return the tokens of all prompts."""
        return round(sum(part.input for part in self.parts))

    @property
    def max_output_tokens(self) -> int:
        """Return what all answers may have at most, each asked once."""
        return sum(part.max_output for part in self.parts)

    @property
    def output_tokens(self) -> TokenRange:
        """Return the tokens of all answers, with what `retry` asks again in the high bound."""
        expected = sum(part.expected_output for part in self.parts)
        return TokenRange(LEAST_ANSWER * self.requests, expected, self.max_output_tokens * self.output_asks)

    @property
    def models(self) -> list[str]:
        """Return the models that are asked."""
        return sorted({part.model for part in self.parts})

    def unpriced(self, prices: PriceTable | None = None) -> list[str]:
        """Return the models without a known price."""
        table = prices or price_table()
        return [model for model in self.models if table.of_model(model) is None]

    def part(self, model: str, step: Step) -> Reckoned:
        """Return the sums of one price; new ones, if there are none yet."""
        for part in self.parts:
            if (part.model, part.step) == (model, step):
                return part
        self.parts.append(Reckoned(model, step))
        return self.parts[-1]

    def merge(self, other: Estimate) -> None:
        """Add another shard's estimate."""
        for part in other.parts:
            self.part(part.model, part.step).merge(part)

    def scaled(self, ratio: float, band: float) -> Estimate:
        """Return it with the input as a sample showed it: `ratio` times as many tokens, wrong by at most `band`."""
        parts = [
            msgspec.structs.replace(
                part, input=part.input * ratio, cacheable=part.cacheable * ratio, reread=part.reread * ratio
            )
            for part in self.parts
        ]
        return msgspec.structs.replace(self, parts=parts, band=band)

    def usd(self, lane: Lane, prices: PriceTable | None = None, *, high_lane: Lane | None = None) -> Range | None:
        """Return the dollars in a lane; None where a price is not known.

        `high_lane` is where the job may end up, and what the high bound is for.
        """
        low = dollars([_at_least(part, self.band, lane) for part in self.parts], prices)
        expected = dollars([_probably(part, lane) for part in self.parts], prices)
        high = dollars([self._at_most(part, high_lane or lane) for part in self.parts], prices)
        return None if low is None or expected is None or high is None else Range(low, expected, high)

    def _at_most(self, part: Reckoned, lane: Lane) -> Tokens:
        """Each prompt is as large as may be, nothing is found in the cache, and all that `retry` allows happens."""
        most = (1 + self.band) * (part.input - part.cacheable) + ROUNDING * part.requests
        return Tokens(
            part.model,
            long_prompt=part.step != "below",
            lane=lane,
            input=math.ceil(most * self.input_asks),
            cache_write_1h=math.ceil(part.cacheable * (1 + self.band) * self.input_asks),
            output=part.max_output * self.output_asks,
        )


def _at_least(part: Reckoned, band: float, lane: Lane) -> Tokens:
    """Each prompt is as small as may be, all that can be is read from the cache, and answers are empty."""
    least = (part.input - part.cacheable) * (1 - band) - ROUNDING * part.requests
    return Tokens(
        part.model,
        long_prompt=part.step == "above",
        lane=lane,
        input=max(0, math.floor(least)),
        cache_read=math.floor(part.cacheable * (1 - band)),
        output=part.requests * LEAST_ANSWER,
    )


def _probably(part: Reckoned, lane: Lane) -> Tokens:
    """What all requests share is written once, and read by all others."""
    written = part.reread / max(1, part.requests)
    return Tokens(
        part.model,
        long_prompt=part.step == "above" or (part.step == "near" and part.input > LONG_PROMPT_TOKENS * part.requests),
        lane=lane,
        input=round(part.input - part.reread),
        cache_write_1h=round(written),
        cache_read=round(part.reread - written),
        output=part.expected_output,
    )


def step_of(input_tokens: float) -> Step:
    """Tell where a prompt lies to the step above which a whole request costs more."""
    if input_tokens * (1 + INPUT_BAND) <= LONG_PROMPT_TOKENS:
        return "below"
    return "above" if input_tokens * (1 - INPUT_BAND) > LONG_PROMPT_TOKENS else "near"
