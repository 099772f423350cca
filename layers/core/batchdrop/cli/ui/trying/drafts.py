"""A recipe's text as a file: what is in the editor is judged and tried before it is saved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from batchdrop.answers.shape import schema_file
from batchdrop.errors import RecipeRejected
from batchdrop.money.prices import PRICES_FILE
from batchdrop.recipe.models import MODELS_FILE
from batchdrop.recipe.recipe_file import parse_recipe_file

_folders: set[str] = set()


def remove_drafts() -> None:
    """Remove the drafts that threads still use: the process ends without them."""
    for folder in [*_folders]:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def draft_of(text: str, recipe: Path) -> Iterator[Path]:
    """Yield a file with the text, under the recipe's own name, in a folder that only the user can read.

    Beside it are the companions of the recipe: its prices, models and schema file. An error that names the draft names
    the recipe instead.
    """
    with tempfile.TemporaryDirectory(prefix="batchdrop-recipe-") as folder:
        _folders.add(folder)
        draft = Path(folder) / recipe.name
        draft.write_text(text, encoding="utf-8")
        for name in (PRICES_FILE, MODELS_FILE, _schema(draft)):
            if name and recipe.with_name(name).is_file():
                (draft.with_name(name)).symlink_to(recipe.with_name(name).resolve())
        try:
            yield draft
        except RecipeRejected as refusal:
            raise RecipeRejected(str(refusal).replace(f"{folder}{os.sep}", "")) from refusal
        finally:
            _folders.discard(folder)


def _schema(draft: Path) -> str | None:
    with suppress(RecipeRejected):
        return schema_file(parse_recipe_file(draft.read_bytes(), name=draft.name))
    return None
