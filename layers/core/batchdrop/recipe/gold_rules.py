"""Rules for `gold`: columns with the truth are not sent."""

from __future__ import annotations

from collections.abc import Iterator

from batchdrop.recipe.keys import Recipe


def gold_faults(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the path of each key that would send a truth by its column, and what to do. `UnseenGold` checks prompts."""
    if recipe.gold and recipe.input == "files":
        yield "gold", "a dropped file has no column with the truth; list the files in a table, and use 'attach'"
    sent = {attach.column: "attach" for attach in recipe.attached}
    sent |= {recipe.grouped.by: "pack.by"} if recipe.grouped else {}
    for field, column in recipe.gold.items():
        if not column.strip():
            yield f"gold.{field}", "it is empty; name the column that holds the truth"
        if column in sent:
            yield sent[column], f"it uses column '{column}', which 'gold' names as the truth; name another column"
