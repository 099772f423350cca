"""Look at a file's first rows before its first shard opens: is the job large enough for a pilot?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from batchdrop.job.lane import lane_of_job
from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import PILOT_REQUESTS, may_have_pilot, pilot_sizes
from batchdrop.money.request_count import RequestCount
from batchdrop.split.cache_decision import decide_cache, is_long_enough, prefix_tokens
from batchdrop.split.rows_to_send import RenderedRows

PEEKED_BYTES = 16_000_000  # ours: more than this is kept in memory for no job; it is then taken for a large one
LARGE = 100_000  # requests: as many as a job may have whose size nobody knows yet


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The first rows, and whether they are the whole file. `estimate` counts them."""

    blocks: list[RenderedRows]
    requests: int
    is_whole: bool
    count: RequestCount


def first_rows(blocks: Iterator[RenderedRows], count: RequestCount) -> tuple[FirstRows, Iterator[RenderedRows]]:
    """Return the first rows, and an iterator that yields all rows."""
    seen: list[RenderedRows] = []
    requests = size = 0
    is_whole = True
    for some in blocks:
        seen.append(some)
        count.add(*some.requests)
        params = [one for one in some.params if one is not None]
        requests, size = requests + len(params), size + sum(map(len, params))
        if requests >= PILOT_REQUESTS or size > PEEKED_BYTES:
            is_whole = False
            break
    return FirstRows(seen, requests, is_whole, count), chain(seen, blocks)


def first_sizes(manifest: Manifest, first: FirstRows | None, *, hits: float | None, live_rows: int) -> list[int]:
    """Return the most requests of the first shards: of a pilot, and of a primer and a probe if the cache may pay.

    `first` None: nobody looked, because single rows may be large or slow; the job then counts as large. `hits` is the
    recipe's known hit rate. The end of the split decides whether these shards are sent before the others.
    """
    recipe = manifest.recipe
    if not may_have_pilot(recipe) or recipe is None:
        return []
    prefix = prefix_tokens(manifest)
    may_prime = is_long_enough(manifest, prefix)
    if first is None or not first.is_whole:
        return pilot_sizes(LARGE) if may_prime and recipe.lane != "live" else [1]
    lane = lane_of_job(recipe, requests=first.requests, live_rows=live_rows)
    plan = decide_cache(manifest, first.count.estimate, lane=lane, prefix=prefix, hits=hits) if may_prime else None
    if plan is not None and plan.primes:
        return pilot_sizes(first.requests) if lane == "batch" else [1]
    return [1] if recipe.pilot else []
