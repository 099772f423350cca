"""Choose the rows to try, and render their requests."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.shape import AnswerShape
from batchdrop.cli.check.known_models import own_models
from batchdrop.cli.check.local_file import LocalFile
from batchdrop.cli.check.local_files import LocalFiles, named_only
from batchdrop.cli.check.recipes import load_prices, load_recipe, naming_own_file
from batchdrop.job.job_files import reader_of, shape_of
from batchdrop.job.manifest import Manifest, UploadRecord
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Recipe
from batchdrop.requests.row import Cursor
from batchdrop.split.attachments import Attachments
from batchdrop.split.rows_to_send import note_columns, rendered_rows, request_source

Change = Callable[[Recipe], Recipe]
SEED = 1  # of a random choice: the same file gives the same rows


@dataclass(frozen=True, slots=True)
class TriedRow:
    """A row to try. `number` counts from 1; `params` is None for a row that cannot be sent, and `reason` says why."""

    number: int
    cells: dict[str, Any]
    params: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The chosen rows. `requests` counts those of the whole file; None if it was not read to its end."""

    recipe: Recipe
    shape: AnswerShape
    manifest: Manifest
    rows: list[TriedRow]
    requests: int | None


def chosen_rows(
    recipe_path: Path,
    file: Path,
    *,
    count: int,
    is_random: bool,
    files: Path | None,
    numbers: frozenset[int] = frozenset(),
    change: Change | None = None,
) -> Trial:
    """Return the first `count` rows that can be sent, with those before them that cannot; or `count` random ones.

    `numbers`, if given, are the rows to return instead. `files` is the folder of attached files. Random and numbered
    rows need the whole file. `change` returns the recipe that is used. Raises JobFault like the job.
    """
    recipe, schema = load_recipe(recipe_path)
    recipe = change(recipe) if change is not None else recipe
    key, source = f"inbox/{recipe_path.stem}/{file.name}", LocalFile(file)
    upload = UploadRecord("try", "", key, "", source.size, datetime.now(UTC))
    prices, models = load_prices(recipe_path), own_models(recipe_path)
    manifest = Manifest(upload=upload, format="", recipe=recipe, schema=schema, prices=prices, models=models)
    formats = FileFormats()
    attach = Attachments(LocalFiles(files), "") if files else named_only
    with naming_own_file(recipe_path, parse_inbox_key(key).recipe_key):
        reader = reader_of(manifest, formats)
        with closing(reader.row_blocks(source, Cursor())) as blocks:
            note_columns(manifest, reader, formats)
            requests = request_source(manifest, reader, attach)
            with closing(rendered_rows(manifest, blocks, requests)) as rendered:
                rows = (row for some in rendered for row in _rows(some))
                chosen, seen = _chosen(rows, count, numbers, is_random=is_random)
    return Trial(recipe, shape_of(manifest), manifest, chosen, seen)


def _rows(rendered: Any) -> Iterator[TriedRow]:
    for row, params, reason in zip(rendered.rows, rendered.params, rendered.reasons, strict=True):
        yield TriedRow(row.number, row.cells, params, reason or "")


def _chosen(
    rows: Iterator[TriedRow], count: int, numbers: frozenset[int], *, is_random: bool
) -> tuple[list[TriedRow], int | None]:
    if numbers:
        return _numbered(rows, numbers)
    return _at_random(rows, count) if is_random else (_first(rows, count), None)


def _numbered(rows: Iterator[TriedRow], numbers: frozenset[int]) -> tuple[list[TriedRow], int]:
    """Return the rows with these numbers, and how many of all can be sent."""
    chosen, seen = list[TriedRow](), 0
    for row in rows:
        seen += row.params is not None
        if row.number in numbers:
            chosen.append(row)
    return chosen, seen


def _first(rows: Iterator[TriedRow], count: int) -> list[TriedRow]:
    chosen: list[TriedRow] = []
    for row in rows:
        chosen.append(row)
        count -= row.params is not None
        if not count:
            break
    return chosen


def _at_random(rows: Iterator[TriedRow], count: int) -> tuple[list[TriedRow], int]:
    """Return `count` rows of all that can be sent, each with the same chance, in the file's order; and how many."""
    draw, chosen, seen = random.Random(SEED), list[TriedRow](), 0
    for row in (row for row in rows if row.params is not None):
        seen += 1
        place = seen - 1 if seen <= count else draw.randrange(seen)
        if place < count:
            chosen[place : place + 1] = [row]
    return sorted(chosen, key=lambda row: row.number), seen
