"""The summary's `estimate`: a finished job's estimate beside its actual cost."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from batchdrop.answers.tokens import Tokens
from batchdrop.money.estimate import Range, TokenRange
from batchdrop.recipe.lane import Lane


class ActualBlock(msgspec.Struct, frozen=True):
    """Actual usage. `input_tokens` counts whole prompts, including tokens read from or written to the cache."""

    answers: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None
    web_searches: int = 0


class EstimateBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate from the split, for the lane in which the job started, and the actual usage.

    `web_searches` is the most that the requests may run. `band` is the largest expected error of `input_tokens`, as a
    share of them. `ratio` is actual dollars divided by expected dollars, `input_ratio` the same for tokens; null if
    either is unknown or nothing was expected.
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
    web_searches: int = 0


def actual_block(tokens: Iterable[Tokens], usd: Decimal | None) -> ActualBlock:
    """Return the actual usage of these tokens, which cost `usd`."""
    counted = list(tokens)
    return ActualBlock(
        answers=sum(one.answers for one in counted),
        input_tokens=sum(one.input + one.cache_write_5m + one.cache_write_1h + one.cache_read for one in counted),
        output_tokens=sum(one.output for one in counted),
        usd=usd,
        web_searches=sum(one.web_searches for one in counted),
    )


def ratio_of(actual: Decimal | int | None, expected: Decimal | int | None) -> float | None:
    """Return actual divided by expected, to three digits; None if either is unknown or nothing was expected."""
    if actual is None or not expected:
        return None
    return round(float(actual / expected), 3)
