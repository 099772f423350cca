"""From an upload's rows to requests: what `split_upload` writes, and what `batchdrop check` shows before."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial

import msgspec

from batchdrop.domain.answer import Column
from batchdrop.domain.columns_seen import ColumnsSeen
from batchdrop.domain.manifest import Manifest
from batchdrop.domain.prompt import RowUnaskable
from batchdrop.domain.request import Attacher, ReadyRequests, RecipeRequests, RequestSource
from batchdrop.domain.row import Row
from batchdrop.domain.upload import parse_inbox_key
from batchdrop.errors import UploadRejected
from batchdrop.ports import Formats, InputFormat
from batchdrop.usecases.job_files import formats_of, shape_of
from batchdrop.usecases.look_ahead import LookAhead, Room

NAMELESS = {
    "jsonl",
    "json",
}  # formats whose rows name their own columns, so that any output but these must collect them


class AskedRow(msgspec.Struct, frozen=True):  # one a row: a NamedTuple takes three times as long to make
    """A row with its request's `params`; None for a reject, and `reason` says where it is and why."""

    row: Row
    params: bytes | None
    reason: str | None


def note_columns(manifest: Manifest, reader: InputFormat, formats: Formats) -> None:
    """Keep what the reader found before the first row, and make sure that an output can be made of it.

    Raises UploadRejected where a new column would stand on one of the input's own.
    """
    manifest.header = reader.header
    if reader.columns is not None:
        new = shape_of(manifest).columns.names
        for taken in (column for column in reader.columns if column in new):
            message = (
                f"{parse_inbox_key(manifest.upload.key).filename}: the header has a column '{taken}', which is where "
                "the output goes; rename it in the file, or set `output: {prefix: …}` in the recipe"
            )
            raise UploadRejected(message)
        manifest.columns = [Column(name) for name in reader.columns]
    formats_of(manifest, formats)


def request_source(manifest: Manifest, reader: InputFormat, attach: Attacher) -> RequestSource:
    """Return what makes a job's rows into requests. Raises RecipeRejected where the recipe does not fit the file."""
    if manifest.recipe is None:
        return ReadyRequests()
    key = parse_inbox_key(manifest.upload.key)
    requests = RecipeRequests(manifest.recipe, shape_of(manifest), name=key.recipe_key, attach=attach)
    if reader.columns is not None:
        requests.check_columns(reader.columns, filename=key.filename)
    return requests


def asked_rows(
    manifest: Manifest, rows: Iterator[Row], source: RequestSource, room: Room | None = None
) -> Generator[AskedRow, None, None]:
    """Yield each row with its request, in order, and keep the columns that rows name in the manifest.

    Rows that attach files are made a few at a time, in the room that their files claim; close the generator to end
    that. Raises UploadRejected at a bad row if the recipe says `on_bad_row: stop`.
    """
    recipe = manifest.recipe
    filename = parse_inbox_key(manifest.upload.key).filename
    ask = partial(_asked, source)
    named = _noting_columns(manifest, rows)
    ahead = LookAhead(ask, room or Room()).answers(named) if recipe is not None and recipe.attached else None
    with closing(ahead or (ask(row) for row in named)) as asked:
        for asked_row in asked:
            reason = asked_row.reason
            if reason is None:
                yield asked_row
                continue
            row = asked_row.row
            if recipe is not None and recipe.on_bad_row == "stop":
                message = f"{filename} {row.place}: {reason}. Mend the row, or set on_bad_row: skip"
                raise UploadRejected(message)
            yield AskedRow(row, None, f"{row.place}: {reason}")


def _asked(source: RequestSource, row: Row) -> AskedRow:
    """Return a row with its request, or with the bare reason why it has none."""
    if row.error is not None:
        return AskedRow(row, None, row.error)
    try:
        return AskedRow(row, source.params(row), None)
    except RowUnaskable as unaskable:
        return AskedRow(row, None, str(unaskable))


def _noting_columns(manifest: Manifest, rows: Iterator[Row]) -> Iterator[Row]:
    """Collect the columns that rows name, where the output needs to know them all."""
    output = manifest.recipe.output.format if manifest.recipe else None
    if manifest.format not in NAMELESS or output is None or output in NAMELESS:
        yield from rows
        return
    seen = ColumnsSeen(manifest.columns)
    for row in rows:
        if seen.add(row.cells):
            manifest.columns = seen.columns
        yield row
