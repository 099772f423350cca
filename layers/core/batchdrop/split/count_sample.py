"""Have the API count a sample of a job's requests, and tell by how much the estimate is to be scaled."""

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

AT_ONCE = 8  # calls under way
LEAST_BAND = 0.02  # ours: the API calls its own counts an estimate, and bills what it counts later
CONFIDENCE = 2.0  # standard errors: nineteen samples of twenty


@dataclass(frozen=True, slots=True)
class SampleCount:
    """What counting showed: `ratio` is counted to estimated tokens, off by at most `band`, a share of it.

    `requests` were counted of `asked`: fewer, where the API's rate limit ended it.
    """

    requests: int
    asked: int
    tokens: int
    ratio: float
    band: float


def count_sample(sample: list[bytes], counter: TokenCounter) -> SampleCount:
    """Count each request of the sample once. Raises what the counter raises, RateLimited only if none was counted."""
    order = random.Random(0).sample(sample, len(sample))  # so that what a rate limit cuts short is fair
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
    """Return the share by which the ratio of the whole may differ from the sample's: twice its standard error."""
    many = len(counts)
    if many < 2:  # noqa: PLR2004 - one request says nothing of how they differ
        return INPUT_BAND
    squares = sum((count - ratio * estimate) ** 2 for count, estimate in zip(counts, estimates, strict=True))
    error = math.sqrt(squares * many / (many - 1)) / sum(counts)
    return max(LEAST_BAND, CONFIDENCE * error)
