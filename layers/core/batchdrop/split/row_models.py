"""Check the model and the max_tokens that a recipe names, or that rows name for themselves."""

from __future__ import annotations

from datetime import date

from batchdrop.errors import RecipeRejected
from batchdrop.job.manifest import Manifest
from batchdrop.money.prices import effective
from batchdrop.money.request_count import most_escalated
from batchdrop.recipe.lane import too_long_for_live
from batchdrop.recipe.models import model_table, with_own
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.rules import keys_of_the_live_lane
from batchdrop.recipe.words import nearest
from batchdrop.requests.row_parameters import RowCheck
from batchdrop.split.findings import model_findings


def refuse_unknown_model(manifest: Manifest, recipe_key: str, *, today: date) -> None:
    """Raise RecipeRejected if the API refuses the recipe's model, or its max_tokens, as `batchdrop check` says.

    The same models are known as for rows.
    """
    recipe = manifest.recipe
    if recipe is None:
        return
    table, prices = with_own(model_table(), manifest.models), effective(manifest.prices)
    for model, limit in named_models(recipe).items():
        if model not in table.models and prices.of_model(model) is not None:
            continue
        found = model_findings([model], table, max_tokens=limit, today=today, betas=recipe.betas)
        if found.faults:
            is_other = recipe.escalate is not None and model == recipe.escalate.to
            message = f"{recipe_key}: {'escalate.to: ' if is_other else ''}{found.faults[0]}"
            raise RecipeRejected(message)


def named_models(recipe: Recipe) -> dict[str, int]:
    """Return the models that a recipe itself names, each with the largest `max_tokens` that it gets; 1 if per row."""
    models = {} if recipe.own_model is None else {recipe.own_model: recipe.own_tokens or 1}
    if recipe.escalate is not None:
        models[recipe.escalate.to] = (recipe.own_tokens or 1) * most_escalated(recipe)
    return models


def row_check(manifest: Manifest) -> RowCheck:
    """Return a function that says why a row cannot have this model and max_tokens; empty if it can.

    Known are the models of the shipped list, of the user's own list, and those with a price. A job with a cap needs the
    price of each model. Rows that the recipe sends live need an answer that the live lane can wait for. The manifest
    notes the largest `max_tokens` of the others, which decides about `lane: auto`.
    """
    table, prices = with_own(model_table(), manifest.models), effective(manifest.prices)
    recipe = manifest.recipe
    betas, has_cap = (recipe.betas, recipe.cap is not None) if recipe else ([], False)
    goes_live = recipe is not None and (recipe.lane == "live" or any(keys_of_the_live_lane(recipe)))

    def reason(model: str, max_tokens: int) -> str:
        why = of_model(model, max_tokens) or (too_long_for_live(max_tokens) if goes_live else "")
        if not why:
            manifest.longest = max(manifest.longest, max_tokens)
        return why

    def of_model(model: str, max_tokens: int) -> str:
        price = prices.of_model(model)
        if model not in table.models:
            fix = "fix the cell, or list the model in recipes/models.yaml"
            return "" if price is not None else f"unknown model '{model}'{nearest(model, table.models)}; {fix}"
        found = model_findings([model], table, max_tokens=max_tokens, today=date.min, betas=betas)
        if found.faults:
            return found.faults[0]
        if has_cap and price is None:
            return f"the price of {model} is not known, so max_cost_usd cannot hold; put it into recipes/prices.yaml"
        return ""

    return reason
