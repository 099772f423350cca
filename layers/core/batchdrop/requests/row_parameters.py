"""Parameters that each row has for itself: `model` and `max_tokens` of a recipe may be templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batchdrop.errors import RowRejected
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.rules import budget_fault
from batchdrop.requests.prompt import Prompt

RowCheck = Callable[[str, int], str]
"""Returns why a row cannot have this model and max_tokens; empty if it can."""

MAX_DIGITS = 9  # no model writes a billion tokens


class RowParameters:
    """The parameters of a row. Raises RecipeRejected for broken templates."""

    def __init__(self, recipe: Recipe, *, name: str, check: RowCheck) -> None:
        self._recipe = recipe
        self._check = check
        why = "each row needs one"
        self.prompts = {key: Prompt(text, name=name, key=key, blank=why) for key, text in recipe.per_row.items()}

    def rendered(self, cells: Mapping[str, Any]) -> bytes:
        """Return the row's parameters as the members of a JSON object. Raises RowRejected."""
        model = self._recipe.own_model or self.prompts["model"].render(cells).strip()
        own = self._recipe.own_tokens
        limit = _number(self.prompts["max_tokens"].render(cells)) if own is None else own
        reason = self._check(model, limit)
        if not reason and (fault := budget_fault(self._recipe.params.get("thinking"), limit, self._recipe.betas)):
            reason = f"'params.thinking.budget_tokens': {fault}"
        if reason:
            raise RowRejected(reason)
        return msgspec.json.encode({"model": model, "max_tokens": limit})[1:-1]


def _number(text: str) -> int:
    digits = text.strip().removesuffix(".0")  # a number of a spreadsheet, or of JSON
    if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS) or not int(digits):
        reason = "'max_tokens' is not a whole number of 1 or more for this row; fix the cell"
        raise RowRejected(reason)
    return int(digits)
