"""From an upload's rows to requests: what `split_upload` writes, and what `batchdrop check` shows before."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from typing import NamedTuple

from batchdrop.answers.columns import Column
from batchdrop.errors import RowRejected, UploadRejected
from batchdrop.job.job_files import formats_of, shape_of
from batchdrop.job.manifest import Manifest
from batchdrop.job.ports import Formats, InputFormat
from batchdrop.job.upload import parse_inbox_key
from batchdrop.requests.chunking import CHUNK_ROWS, chunks
from batchdrop.requests.columns_seen import ColumnsSeen
from batchdrop.requests.request import Attacher, ReadyRequests, RecipeRequests, RequestSource
from batchdrop.requests.row import Row
from batchdrop.split.prefetch import Prefetch, Room

NAMELESS = {
    "jsonl",
    "json",
}  # formats whose rows name their own columns, so that any output but these must collect them


FEW = 8  # rows that are asked each by itself at once, where one of them has to be


class RenderedRows(NamedTuple):
    """Rows that follow each other, each with its request's `params`.

    They are None for a reject, and `reasons` say where it is and why; and for a row that asks the same as the shard's
    row that `same_as` has for it. `owns` are what the rows said of their own (`Request.own`).
    """

    rows: Sequence[Row]
    params: Sequence[bytes | None]
    owns: Sequence[str]
    reasons: Sequence[str | None]
    same_as: Sequence[int | None]

    @property
    def requests(self) -> tuple[list[bytes], list[str]]:
        """Return the params of those that have a request, and these rows' own words."""
        asked = [(params, own) for params, own in zip(self.params, self.owns, strict=True) if params is not None]
        return [params for params, _ in asked], [own for _, own in asked]

    def deduplicated(self, same_as: Sequence[int | None]) -> RenderedRows:
        """Return the rows, without the requests of those that ask the same as an earlier one."""
        each = zip(self.params, same_as, strict=True)
        return self._replace(
            params=[params if duplicate is None else None for params, duplicate in each], same_as=same_as
        )

    def first(self, count: int) -> RenderedRows:
        """Return the first rows."""
        return RenderedRows._make(own[:count] for own in self)

    def after(self, count: int) -> RenderedRows:
        """Return the rows behind so many."""
        return RenderedRows._make(own[count:] for own in self)


class _RenderedRow(NamedTuple):
    row: Row
    params: bytes | None
    own: str
    reason: str | None
    same_as: int | None = None


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


def rendered_rows(
    manifest: Manifest,
    blocks: Iterator[list[Row]],
    source: RequestSource,
    room: Room | None = None,
    *,
    most: int = CHUNK_ROWS,
) -> Generator[RenderedRows, None, None]:
    """Yield the rows with their requests, in order and some at a time; keep the columns that they name in the manifest.

    `most` is how many come at a time at most: a caller that has to stop in time can stop only between them. Rows that
    attach files are made a few at a time, in the room that their files claim; close the generator to end that. Raises
    UploadRejected at a bad row if the recipe says `on_bad_row: stop`.
    """
    named = _noting_columns(manifest, blocks)
    chunk_rows = min(most, source.chunk_rows)
    if chunk_rows == 1:
        asked = _one_by_one(named, source, room or Room(), most)
    else:
        asked = _chunk_by_chunk(named, source, chunk_rows)
    with closing(asked):
        for some in asked:
            yield _refusing(manifest, some) if any(some.reasons) else some


def _chunk_by_chunk(
    blocks: Iterator[list[Row]], source: RequestSource, chunk_rows: int
) -> Generator[RenderedRows, None, None]:
    for block in blocks:
        for start in range(0, len(block), chunk_rows):
            yield from _rendered_chunk(block[start : start + chunk_rows], source)


def _rendered_chunk(rows: Sequence[Row], source: RequestSource) -> Generator[RenderedRows, None, None]:
    """Yield rows with their requests; where one of them cannot be asked with others, the halves without it are."""
    requests = source.requests(rows)
    if requests is not None:
        nothing = [None] * len(rows)
        yield RenderedRows(rows, *requests, nothing, nothing)
    elif len(rows) > FEW:
        half = len(rows) // 2
        yield from _rendered_chunk(rows[:half], source)
        yield from _rendered_chunk(rows[half:], source)
    else:
        yield from _joined((_asked(source, row) for row in rows), len(rows))


def _one_by_one(
    blocks: Iterator[list[Row]], source: RequestSource, room: Room, most: int
) -> Generator[RenderedRows, None, None]:
    rows = chain.from_iterable(blocks)
    ask = partial(_asked, source)
    return _joined(Prefetch(ask, room).answers(rows) if source.waits else (ask(row) for row in rows), most)


def _asked(source: RequestSource, row: Row) -> _RenderedRow:
    """Return a row with its request, or with the bare reason why it has none."""
    if row.error is not None:
        return _RenderedRow(row, None, "", row.error)
    try:
        return _RenderedRow(row, *source.request(row), None)
    except RowRejected as unaskable:
        return _RenderedRow(row, None, "", str(unaskable))


def _joined(asked: Generator[_RenderedRow, None, None], most: int) -> Generator[RenderedRows, None, None]:
    """Gather rows that were asked each by itself."""
    with closing(chunks(asked, _size, most=most)) as found:
        for some in found:
            yield RenderedRows._make(zip(*some, strict=True))


def _size(asked: _RenderedRow) -> int:
    return len(asked.row.raw) + len(asked.params or b"")


def _refusing(manifest: Manifest, asked: RenderedRows) -> RenderedRows:
    """Return the rows, their reasons with their places. Raises UploadRejected if the recipe says so."""
    reasons = [reason and f"{row.place}: {reason}" for row, reason in zip(asked.rows, asked.reasons, strict=True)]
    if manifest.recipe is not None and manifest.recipe.on_bad_row == "stop":
        filename = parse_inbox_key(manifest.upload.key).filename
        message = f"{filename} {next(filter(None, reasons))}. Mend the row, or set on_bad_row: skip"
        raise UploadRejected(message)
    return asked._replace(reasons=reasons)


def _noting_columns(manifest: Manifest, blocks: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """Collect the columns that rows name, where the output needs to know them all."""
    output = manifest.recipe.output.format if manifest.recipe else None
    if manifest.format not in NAMELESS or output is None or output in NAMELESS:
        yield from blocks
        return
    seen = ColumnsSeen(manifest.columns)
    for block in blocks:
        changes = [seen.add(row.cells) for row in block]
        if any(changes):
            manifest.columns = seen.columns
        yield block
