"""Keep the truth from the model: the columns that `gold` names are never sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.recipe import Recipe
from batchdrop.recipe.words import nearest
from batchdrop.requests.prompt import Prompt


class UnseenGold:
    """The columns of the truth. Raises RecipeRejected if one of the prompts names such a column."""

    def __init__(self, recipe: Recipe, prompts: Iterable[Prompt], *, name: str) -> None:
        self._gold, self._name = recipe.gold, name
        self._columns = frozenset(recipe.gold.values())
        for prompt in prompts if self._columns else ():
            for column in sorted(prompt.named & self._columns):
                message = (
                    f"{name}: key '{prompt.key}', line {prompt.line_of(column)}: it uses column '{column}', which "
                    "'gold' names as the truth, and the model must not see it. Remove the column from the prompt, or "
                    "from 'gold'"
                )
                raise RecipeRejected(message)

    def check_columns(self, columns: list[str], *, filename: str) -> None:
        """Raise RecipeRejected if a column of the truth is not in the file's header."""
        for field, column in self._gold.items():
            if column not in columns:
                message = (
                    f"{self._name}: key 'gold.{field}': {filename} has no column '{column}'{nearest(column, columns)} "
                    f"(columns: {', '.join(columns)}). Fix the recipe or the header."
                )
                raise RecipeRejected(message)

    def hidden(self, cells: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the cells that a prompt may read. A prompt can also read the whole row."""
        if self._columns.isdisjoint(cells):
            return cells
        return {name: cell for name, cell in cells.items() if name not in self._columns}
