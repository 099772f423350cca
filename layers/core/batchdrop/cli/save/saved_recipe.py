"""Write the recipe of a certified plan. It keeps the user's own text, but for its model and `save`."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import yaml

from batchdrop.answers.shape import schema_file
from batchdrop.cli.check.known_models import models_beside
from batchdrop.cli.check.recipes import load_recipe, prices_beside
from batchdrop.cli.save.searching import KEPT_FOR
from batchdrop.recipe.recipe_file import parse_recipe_file

FOLDER = "saved"  # below OUT; the recipe keeps its name, so that its job finds the answers that are paid


def write_recipe(recipe: Path, model: str, out: Path, why: str) -> Path:
    """Write the recipe with another model into OUT/saved, with the files beside it that it needs; return its path."""
    text = with_model(recipe.read_text(encoding="utf-8"), model)
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / recipe.name
    written.write_text(f"# {why}\n{text}", encoding="utf-8")
    schema = schema_file(load_recipe(recipe)[0])
    beside = [recipe.with_name(schema) if schema else None, prices_beside(recipe), models_beside(recipe)]
    for path in filter(None, beside):
        shutil.copyfile(path, folder / path.name)
    return written


def with_model(text: str, model: str) -> str:
    """Return a recipe's text with another model, without `save`, and with answers that are kept."""
    changed = _edited(text, model)
    fields = yaml.safe_load(text)
    fields.pop("save", None)
    fields["model"] = model
    fields.setdefault("remember", KEPT_FOR)
    plain = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=100)
    # Editing keeps comments and the order of lines. If it gave another recipe, the plain form is right.
    return changed if changed is not None and _same(changed, plain) else plain


def _edited(text: str, model: str) -> str | None:
    """Return the text with its top-level keys replaced in place; None if they do not stand on lines of their own."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    starts = [key.start_mark.index for key, _ in root.value] + [len(text)]
    pieces, at = [text[: starts[0]]], 0
    for (key, value), (start, end) in zip(root.value, pairwise(starts), strict=True):
        at = end
        if key.value == "model":
            pieces.append(text[start : value.start_mark.index] + model + text[value.end_mark.index : end])
        elif key.value != "save":
            pieces.append(text[start:end])
    edited = "".join([*pieces, text[at:]])
    names = {key.value for key, _ in root.value}
    return edited if "remember" in names else f"{edited.rstrip()}\nremember: {KEPT_FOR}\n"


def _same(one: str, other: str) -> bool:
    try:
        return parse_recipe_file(one.encode(), name="") == parse_recipe_file(other.encode(), name="")
    except Exception:  # noqa: BLE001 -- whatever an edit broke, the plain form is used
        return False
