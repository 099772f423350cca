"""Count the tokens of a sample of requests with the API, to scale the estimate."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from batchdrop.errors import RateLimited
from batchdrop.money.estimate import INPUT_BAND
from batchdrop.money.prompt_tokens import request_size
from batchdrop.split.ports import TokenCounter

AT_ONCE = 8  # concurrent calls
LEAST_BAND = 0.02  # ours: the API's counts are estimates, too; the bill may differ
CONFIDENCE = 2.0  # standard errors: 95 % of all samples


@dataclass(frozen=True, slots=True)
class SampleCount:
    """The result of counting: `ratio` is counted divided by estimated tokens, within `band`, a share of it.

    `requests` were counted of `asked`; they are fewer if the API's rate limit stopped the count.
    """

    requests: int
    asked: int
    tokens: int
    ratio: float
    band: float


def count_sample(sample: list[bytes], counter: TokenCounter) -> SampleCount:
    """Count each request of the sample once. Raises the counter's errors; RateLimited only if none was counted."""
    order = random.Random(0).sample(sample, len(sample))  # so that a count stopped by a rate limit is still fair
    counts = list(_counts(order, counter))
    estimates = [request_size(params).input_tokens for params in order[: len(counts)]]
    ratio = sum(counts) / sum(estimates)
    return SampleCount(len(counts), len(sample), sum(counts), ratio, _band(counts, estimates, ratio))


def _counts(order: list[bytes], counter: TokenCounter) -> Iterator[int]:
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="count-tokens") as pool:
        counted = 0
        for few in (order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)):
            try:
                counts = list(pool.map(counter.count, few))
            except RateLimited:
                if not counted:
                    raise
                return
            counted += len(counts)
            yield from counts


def _band(counts: list[int], estimates: list[float], ratio: float) -> float:
    """Return the largest deviation of the whole file's ratio, as a share: twice the sample's standard error."""
    many = len(counts)
    if many < 2:  # noqa: PLR2004 - one request says nothing of how they differ
        return INPUT_BAND
    squares = sum((count - ratio * estimate) ** 2 for count, estimate in zip(counts, estimates, strict=True))
    error = math.sqrt(squares * many / (many - 1)) / sum(counts)
    return max(LEAST_BAND, CONFIDENCE * error)
