"""A job's cap: what prices its requests while it is split, and what a resumed job's cap is."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from batchdrop.admission.worst_case import WorstCase
from batchdrop.job.job_files import read_recipe, write_manifest
from batchdrop.job.manifest import Manifest
from batchdrop.job.upload import parse_inbox_key
from batchdrop.money.prices import effective
from batchdrop.ports import ObjectStore


def pricer_of(manifest: Manifest) -> Callable[[bytes], Decimal] | None:
    """Return what tells the most dollars of a request by its `params`; None where the job has no cap.

    Raises RecipeRejected where there is a cap, and no price to keep to it by.
    """
    recipe = manifest.recipe
    if recipe is None or recipe.cap is None:
        return None
    return WorstCase(
        recipe.model, name=parse_inbox_key(manifest.upload.key).recipe_key, prices=effective(manifest.prices)
    ).add


def renew_cap(manifest: Manifest, store: ObjectStore) -> None:
    """Take over the `max_cost_usd` that the recipe in the bucket has now; nothing else of a job ever changes.

    A recipe that is gone changes nothing. Raises RecipeRejected if it is broken.
    """
    if manifest.recipe is None:
        return
    recipe = read_recipe(store, parse_inbox_key(manifest.upload.key).recipe_key)
    if recipe is None or recipe.max_cost_usd == manifest.recipe.max_cost_usd:
        return
    manifest.recipe = msgspec.structs.replace(manifest.recipe, max_cost_usd=recipe.max_cost_usd)
    pricer_of(manifest)
    write_manifest(store, manifest)
