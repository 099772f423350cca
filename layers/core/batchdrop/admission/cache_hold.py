"""Compute what writing the shared prefix to the prompt cache may add to a round, for a budget."""

from __future__ import annotations

from decimal import Decimal

from batchdrop.admission.budget import NOTHING
from batchdrop.admission.worst_case import INPUT_MARGIN
from batchdrop.answers.tokens import Tokens
from batchdrop.job.manifest import Manifest
from batchdrop.money.cost import dollars
from batchdrop.money.prices import effective


def cache_hold(manifest: Manifest, requests: int) -> Decimal:
    """Return the extra cost at the standard price if each request writes the prefix for an hour and none reads."""
    recipe, plan = manifest.recipe, manifest.cache
    if recipe is None or plan is None or recipe.own_model is None:
        return NOTHING
    tokens = int(plan.prefix_tokens * INPUT_MARGIN) * requests
    geo = str(recipe.params.get("inference_geo") or "")
    prices = effective(manifest.prices)
    written = dollars([Tokens(recipe.own_model, lane="live", geo=geo, cache_write_1h=tokens)], prices)
    plain = dollars([Tokens(recipe.own_model, lane="live", geo=geo, input=tokens)], prices)
    return NOTHING if written is None or plain is None else max(NOTHING, written - plain)
