"""How many rows the packs of a job may have."""

from __future__ import annotations

from batchdrop.job.manifest import Manifest
from batchdrop.limits import MAX_LIVE_TOKENS
from batchdrop.money.pack_rule import AUTO_SIZES
from batchdrop.recipe.models import model_table, with_own
from batchdrop.requests.pack_limits import most_rows


def sizes_of(manifest: Manifest) -> list[int]:
    """Return the sizes that a job's packs may have, in ascending order; [1] if its rows cannot share a request.

    An answer keeps to the limits of all models that may give it, and to that of the live lane, where unpaid packs may
    be sent again.
    """
    recipe = manifest.recipe
    assert recipe is not None, "only a recipe has packs"
    table = with_own(model_table(), manifest.models).models
    models = [recipe.model, *([recipe.escalate.to] if recipe.escalate else [])]
    known = [table[model].max_tokens for model in models if model in table]
    limit = min([MAX_LIVE_TOKENS, *filter(None, known)])
    most = most_rows(recipe.own_tokens or 1, limit)
    wanted = AUTO_SIZES if recipe.pack_rows == "auto" else (recipe.pack_rows or 1,)
    return sorted({max(1, min(size, most)) for size in wanted})
