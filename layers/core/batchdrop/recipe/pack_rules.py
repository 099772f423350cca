"""Rules for `pack`: what a request of several rows cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from batchdrop.recipe.keys import Recipe, is_template

OF_ONE_ANSWER = ("thinking", "citations", "tool_use")  # names in `output.add`: a pack has one of each for all its rows


def pack_faults(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the path of each key that does not go with `pack`, and what to do."""
    if recipe.pack is None:
        return
    if recipe.answer is None:
        yield "pack", "a pack needs an answer with fields, so that each row gets its own; add 'answer'"
    elif "row" in recipe.answer:
        yield "answer.row", "a pack numbers its rows in a field of this name; give the field another name"
    if not recipe.system_text.strip():
        yield "pack", "a pack repeats the prompt for each row; move the instruction to 'system', which is sent once"
    yield from _one_question(recipe)
    yield from _no_files(recipe)
    if recipe.pilot:
        yield "pilot", "the first packs prove the recipe; use either 'pilot: true' or 'pack'"
    yield from _groups(recipe)
    for name in OF_ONE_ANSWER:
        if name in recipe.output.add:
            yield "output.add", f"a pack has one '{name}' for all its rows; remove it, or remove 'pack'"


def _one_question(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """All rows of a pack have the same parameters, and one message each."""
    for key in recipe.per_row:
        yield key, "rows with a value of their own cannot share a request; write one value, or remove 'pack'"
    if recipe.messages is not None and len(recipe.messages) > 1:
        yield "messages", "a pack has one message for each row; write 'prompt' and 'examples', or remove 'pack'"
    if "tools" in recipe.params:
        yield "params.tools", "the tools' results would belong to all rows of a pack; remove it, or remove 'pack'"


def _no_files(recipe: Recipe) -> Iterator[tuple[str, str]]:
    if recipe.attached:
        yield "attach", "a row with a file of its own cannot share a request; remove 'attach' or 'pack'"
    if recipe.input == "files":
        yield "input", "a row that is a file cannot share a request; remove 'input: files' or 'pack'"


def _groups(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with packs of rows about the same text."""
    grouped = recipe.grouped
    if grouped is None:
        return
    if not grouped.by.strip() or is_template(grouped.by):
        yield "pack.by", "it is the name of a column, such as contract_id"
    if not is_template(grouped.shared):
        yield "pack.shared", "it is the same text for all rows; move it to 'system', and write 'pack: 20'"
    if recipe.remember is not None:
        yield "remember", "answers about a shared text are not kept; remove 'remember', or write 'pack: 20'"
    if recipe.sampled is not None:
        reason = "the rows of a group are sent together, wherever they stand, so no rows can come first"
        yield "sample", f"{reason}; ask a few rows with `batchdrop try`, and remove 'sample'"
