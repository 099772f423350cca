"""Pilots: the rows that are sent before all others, to learn from them.

The *pilot* is the first request. Its answer, from the live lane, proves the recipe within seconds. Where the prompt
cache saves money, the *primer* follows, a Message Batch of one request that writes the shared prefix. Then the *probe*,
a Message Batch of a few requests, shows how many read it. All are rows of the file, in shards of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from batchdrop.job.manifest import Manifest
from batchdrop.money.cache_plan import CachePlan
from batchdrop.recipe.lane import Lane, too_long_for_live
from batchdrop.recipe.recipe import Recipe

Asks = Literal["sample", "pilot", "primer", "probe", "shards"]  # the list of shards that the Map reads next

PILOT_SHARD = 0
PRIMER_SHARD = 1
PROBE_SHARD = 2
PILOT_REQUESTS = 1_000  # ours: below it, a wrong recipe costs little, and a pilot seconds
PILOT_SECONDS = 20 * 60  # ours: the longest wait for one pilot; the other rows are then sent without it
PROBE_REQUESTS = 20  # ours: if none of them reads, they cost 2 % of the smallest job that has a probe by default
PROBE_SHARE = 50  # ours: one request in so many, in smaller jobs


def may_have_pilot(recipe: Recipe | None) -> bool:
    """Return whether a job of this recipe can send its first request alone.

    A sample replaces the pilot, and so do the first packs. Ready-made requests differ, so one proves nothing about the
    others.
    """
    if recipe is None or recipe.sampled is not None or recipe.pilot is False or recipe.pack is not None:
        return False
    is_batch_only = bool(too_long_for_live(recipe.own_tokens)) or "user_profile_id" in recipe.params
    return not is_batch_only


def pilot_sizes(requests: int) -> list[int]:
    """Return the most requests of pilot, primer and probe, in a job of so many requests."""
    return [1, 1, max(2, min(PROBE_REQUESTS, requests // PROBE_SHARE))]


def has_pilot(manifest: Manifest) -> bool:
    """Return whether a split job sends its first request alone: by its recipe, its size, or for the prompt cache."""
    wanted = manifest.recipe is not None and manifest.recipe.pilot is True
    pays = wanted or manifest.requests >= PILOT_REQUESTS or primes(manifest.cache)
    return pays and _is_first(manifest, PILOT_SHARD)


def expects_pilot(manifest: Manifest) -> bool:
    """Return whether a job with this estimate would send its first request alone; for a check, before the split."""
    recipe, requests = manifest.recipe, manifest.estimate.requests if manifest.estimate else 0
    if recipe is None or not may_have_pilot(recipe) or requests <= 1:
        return False
    return recipe.pilot is True or requests >= PILOT_REQUESTS or primes(manifest.cache)


def has_primer(manifest: Manifest) -> bool:
    """Return whether the second shard is a Message Batch of one request that primes the prompt cache."""
    return manifest.lane == "batch" and primes(manifest.cache) and _is_first(manifest, PRIMER_SHARD)


def has_probe(manifest: Manifest) -> bool:
    """Return whether the third shard shows how many requests read the prompt cache."""
    return has_primer(manifest) and _is_first(manifest, PROBE_SHARD)


def is_live_alone(manifest: Manifest, shard: int) -> bool:
    """Return whether this is the pilot, or a second shard of one request that primes nothing.

    That one goes live too, because a Message Batch of one row is not worth its polls.
    """
    if shard == PILOT_SHARD:
        return has_pilot(manifest)
    is_second = shard == PRIMER_SHARD < len(manifest.first)
    return is_second and has_pilot(manifest) and not has_primer(manifest)


def primes(plan: CachePlan | None) -> bool:
    """Return whether a job primes the prompt cache."""
    return plan is not None and plan.primes


def lane_marked(manifest: Manifest) -> Lane | Literal[""]:
    """Return the lane whose requests may be marked for the prompt cache; empty for none."""
    if not primes(manifest.cache):
        return ""
    is_primed = has_probe(manifest) if manifest.lane == "batch" else has_pilot(manifest)
    return manifest.lane if is_primed else ""


def leave_at(asks: Asks, now: datetime) -> int:
    """Return when the shards of a list are waited for no longer, in Unix seconds; 0 for never."""
    return int(now.timestamp()) + PILOT_SECONDS if asks in {"pilot", "primer", "probe"} else 0


def _is_first(manifest: Manifest, shard: int) -> bool:
    """Return whether a shard of limited size has a request, and others with requests follow. In waves, none is."""
    if manifest.starts_empty or shard >= min(len(manifest.first), len(manifest.shards)):
        return False
    return bool(manifest.shards[shard].requests) and any(item.requests for item in manifest.shards[shard + 1 :])
