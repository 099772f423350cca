"""Apply a job's cap: price its requests during the split, and renew the cap when the job is resumed."""

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
    """Return a function from `params` to the highest cost of a request; None if the job has no cap.

    Raises RecipeRejected if there is a cap but no known price.
    """
    recipe = manifest.recipe
    if recipe is None or recipe.cap is None:
        return None
    worst = WorstCase(
        recipe.own_model, name=parse_inbox_key(manifest.upload.key).recipe_key, prices=effective(manifest.prices)
    )
    if recipe.escalate is not None:  # raises if the price of the other model is not known
        WorstCase(
            recipe.escalate.to, name=parse_inbox_key(manifest.upload.key).recipe_key, prices=effective(manifest.prices)
        )
    if recipe.own_model is not None:
        geo = recipe.params.get("inference_geo")
        worst.of(1, 1, geo="" if geo in {None, "not_available"} else str(geo))  # raises before the first row
    return worst.add


def renew_cap(manifest: Manifest, store: ObjectStore) -> None:
    """Update the job's `max_cost_usd` from the recipe in the bucket. Nothing else of a job ever changes.

    A missing recipe changes nothing. Raises RecipeRejected if the recipe is broken.
    """
    if manifest.recipe is None or manifest.upload.rows_key:  # a retry has what the versions before it left
        return
    recipe = read_recipe(store, parse_inbox_key(manifest.upload.key).recipe_key)
    if recipe is None or recipe.max_cost_usd == manifest.recipe.max_cost_usd:
        return
    manifest.recipe = msgspec.structs.replace(manifest.recipe, max_cost_usd=recipe.max_cost_usd)
    pricer_of(manifest)
    write_manifest(store, manifest)
