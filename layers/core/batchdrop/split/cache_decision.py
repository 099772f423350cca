"""Decide at the end of a split, or in a check, whether the job uses the prompt cache."""

from __future__ import annotations

import msgspec

from batchdrop.job.cache_history import known_hits
from batchdrop.job.job_files import shape_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import lane_marked, may_have_pilot
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.cache_plan import CachePlan, plan_cache
from batchdrop.money.estimate import INPUT_BAND, Estimate
from batchdrop.money.prices import effective
from batchdrop.money.prompt_tokens import ROUNDED_UP, text_size, tokeniser
from batchdrop.ports import ObjectStore
from batchdrop.recipe.duration import duration_named
from batchdrop.recipe.lane import Lane
from batchdrop.requests.shared_prefix import cache_mark, shared_texts


def prefix_tokens(manifest: Manifest) -> float:
    """Return the estimated tokens that all requests share and that can be marked; 0 if there are none."""
    recipe = manifest.recipe
    if recipe is None or recipe.own_model is None:
        return 0.0
    name, shape = parse_inbox_key(manifest.upload.key).recipe_key, shape_of(manifest)
    if cache_mark(recipe, shape, name=name) is None:
        return 0.0
    texts = filter(None, shared_texts(recipe, shape, name=name))
    return sum(text_size(text).tokens + ROUNDED_UP for text in texts) * tokeniser(recipe.own_model)


def is_long_enough(manifest: Manifest, prefix: float) -> bool:
    """Return whether the model may cache so long a prefix, and the recipe lets it."""
    recipe = manifest.recipe
    if recipe is None or recipe.own_model is None or recipe.caching is False:
        return False
    return prefix * (1 + INPUT_BAND) >= effective(manifest.prices).least_prefix(recipe.own_model)


def decide_cache(
    manifest: Manifest, estimate: Estimate, *, lane: Lane, prefix: float, hits: float | None = None
) -> CachePlan | None:
    """Return the plan for the prompt cache; None for ready-made requests, and for those that share nothing."""
    recipe = manifest.recipe
    if recipe is None or not (prefix or recipe.caching is True):
        return None
    within = None if recipe.finish_within is None else duration_named(recipe.finish_within).total_seconds()
    return plan_cache(
        recipe.caching,
        estimate,
        lane=lane,
        prefix_tokens=prefix,
        prices=effective(manifest.prices),
        hits=hits,
        seconds_left=within,
        obstacle="" if may_have_pilot(recipe) and not manifest.waves else _obstacle(manifest),
    )


def note_cache(manifest: Manifest, *, hits: float | None = None) -> None:
    """Note the decision about the prompt cache in the manifest. If the job primes the cache, the estimate has reads."""
    if manifest.estimate is None:
        return
    prefix = prefix_tokens(manifest)
    manifest.cache = plan = decide_cache(manifest, manifest.estimate, lane=manifest.lane, prefix=prefix, hits=hits)
    if plan is not None and plan.primes:
        manifest.estimate = manifest.estimate.primed(prefix, plan.hits)


def decide_for_shards(manifest: Manifest, store: ObjectStore) -> None:
    """Note the decision of a split job, whose first shards are known. Store the mark if the job uses the cache."""
    estimate = manifest.estimate
    note_cache(manifest, hits=known_hits(manifest, store))
    plan, recipe = manifest.cache, manifest.recipe
    if plan is None or not plan.primes or recipe is None:
        return
    if not lane_marked(manifest):  # such as a job whose first rows are all rejected
        manifest.estimate = estimate
        manifest.cache = msgspec.structs.replace(plan, primes=False, reason="none of its first shards can prime it")
        return
    mark = cache_mark(recipe, shape_of(manifest), name=parse_inbox_key(manifest.upload.key).recipe_key)
    store.write(JobKeys(manifest.upload.job_id).cache_mark, msgspec.json.encode(mark))


def _obstacle(manifest: Manifest) -> str:
    recipe = manifest.recipe
    if manifest.is_packed:
        return "rows in packs share the instruction already, and packs have no pilot"
    if manifest.waves:
        return "the cap lets the rows go in waves only, and a pilot would take from it"
    if recipe is not None and recipe.sampled is not None:
        return "a job with a sample has no pilot that primes the cache"
    if recipe is not None and recipe.pilot is False:
        return "the recipe says pilot: false, so nothing primes the cache"
    return "the live lane cannot send a pilot of this recipe"
