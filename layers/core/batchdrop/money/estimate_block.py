"""A finished job's estimate held against what it came to: the summary's `estimate`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.money.estimate import Range, TokenRange
from batchdrop.recipe.lane import Lane


class ActualBlock(msgspec.Struct, frozen=True):
    """What was used. `input_tokens` counts whole prompts, what came from the cache or went to it included."""

    answers: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None


class EstimateBlock(msgspec.Struct, frozen=True, kw_only=True):
    """What was estimated when the file was split, for the lane that the job began in, and what came of it.

    `band` is by how much `input_tokens` may be off, as a share of them. `ratio` is actual dollars to expected ones,
    `input_ratio` likewise of tokens; null where one of the two is not known, or nothing was expected.
    """

    lane: Lane
    requests: int
    input_tokens: int
    output_tokens: TokenRange
    usd: Range | None
    band: float
    actual: ActualBlock
    ratio: float | None
    input_ratio: float | None


def actual_block(tokens: Iterable[Tokens], usd: Decimal | None) -> ActualBlock:
    """Add up what was used; `usd` is what it cost."""
    counted = list(tokens)
    return ActualBlock(
        answers=sum(one.answers for one in counted),
        input_tokens=sum(one.input + one.cache_write_5m + one.cache_write_1h + one.cache_read for one in counted),
        output_tokens=sum(one.output for one in counted),
        usd=usd,
    )


def ratio_of(actual: Decimal | int | None, expected: Decimal | int | None) -> float | None:
    """Return how many times the expected it was, to three digits; None where that says nothing."""
    if actual is None or not expected:
        return None
    return round(float(actual / expected), 3)
