"""Rules for `save`: what can be tried, and with which other keys."""

from __future__ import annotations

from collections.abc import Iterator

from batchdrop.recipe.keys import Recipe

LATER = {"cache", "pack"}  # plans of the design that are not built


def save_faults(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the path of each key that `save` cannot have beside it, and what to do."""
    save = recipe.save
    if save is None:
        return
    for place, model in enumerate(save.try_):
        if model in LATER:
            yield f"save.try[{place}]", f"'{model}' cannot be tried yet; name models, such as claude-haiku-5-5"
        elif model == recipe.model:
            yield f"save.try[{place}]", f"'{model}' is the recipe's own model, with which the others are compared"
        elif model in save.try_[:place]:
            yield f"save.try[{place}]", f"'{model}' stands there twice; each model that is tried makes the proof harder"
    reasons = {
        "escalate": "the reference is one model; remove 'escalate' or 'save'",
        "pack": "rows are compared one by one; remove 'pack' or 'save'",
        "sample": "the rows that are compared are the sample; remove 'sample' or 'save'",
    }
    for key, reason in reasons.items():
        if getattr(recipe, key) is not None:
            yield key, reason
    if recipe.own_model is None:
        yield "model", "rows name their own model, so no model can be replaced; name one, or remove 'save'"
