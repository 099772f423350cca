"""Turn an upload's rows into requests, for `split_upload` and for `batchdrop check`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from typing import NamedTuple

from batchdrop.answers.columns import Column
from batchdrop.answers.pack_schema import pack_schema
from batchdrop.errors import RowRejected, RowSkipped, UploadRejected
from batchdrop.job.job_files import formats_of, shape_of
from batchdrop.job.manifest import Manifest, file_key
from batchdrop.job.ports import Formats, InputFormat
from batchdrop.job.upload import parse_inbox_key
from batchdrop.requests.chunking import CHUNK_ROWS, chunks
from batchdrop.requests.columns_seen import ColumnsSeen
from batchdrop.requests.dedupe import Lender
from batchdrop.requests.ready_request import ReadyRequests
from batchdrop.requests.request import Attacher, RecipeRequests, RequestSource
from batchdrop.requests.row import EMPTY_ROW, Row
from batchdrop.split.prefetch import Prefetch, Room
from batchdrop.split.row_models import row_check

NAMELESS = {
    "jsonl",
    "json",
}  # formats whose rows name their own columns; other outputs must collect the names

WITH_HEADER_KEYS = {"csv", "tsv", "xlsx"}
HEADER_ADVICE = (
    " If other lines stand over the header, set `input: {skip: …}`; if there is none, `input: {header: false}`"
)
DELIMITED = {"csv", "tsv"}
DELIMITER_ADVICE = " If another character stands between the cells, set `input: {delimiter: …}`"
FEW = 8  # largest group that is rendered row by row if one of its rows needs that


class RenderedRows(NamedTuple):
    """Consecutive rows, each with its request's `params`.

    `params` is None for a reject, whose `reasons` entry says where it is and why, and for a duplicate, whose `same_as`
    entry is the index of the shard's row with the same request, or of the row in the earlier shard `same_shard`. `owns`
    are the rows' own texts (`Request.own`). `are_skipped` tells which of the rejects the recipe skips.
    """

    rows: Sequence[Row]
    params: Sequence[bytes | None]
    owns: Sequence[str]
    reasons: Sequence[str | None]
    same_as: Sequence[int | None]
    are_skipped: Sequence[bool]
    same_shard: Sequence[int | None]

    @property
    def requests(self) -> tuple[list[bytes], list[str]]:
        """Return the params of the rows that have a request, and these rows' own texts."""
        rendered = [(params, own) for params, own in zip(self.params, self.owns, strict=True) if params is not None]
        return [params for params, _ in rendered], [own for _, own in rendered]

    def deduplicated(self, same_as: Sequence[int | None]) -> RenderedRows:
        """Return the rows without the requests of duplicates of the same shard."""
        if same_as.count(None) == len(same_as):
            return self
        params = [params if same is None else None for params, same in zip(self.params, same_as, strict=True)]
        either = [known if same is None else same for known, same in zip(self.same_as, same_as, strict=True)]
        return self._replace(params=params, same_as=either)

    def without_lent(self, lenders: Sequence[Lender | None]) -> RenderedRows:
        """Return the rows without the requests that an earlier shard sends."""
        known = zip(self.same_as, self.same_shard, lenders, strict=True)
        both = [(row, shard) if one is None else (one.row, one.shard) for row, shard, one in known]
        return self._replace(
            params=[params if one is None else None for params, one in zip(self.params, lenders, strict=True)],
            same_as=[row for row, _ in both],
            same_shard=[shard for _, shard in both],
        )

    def first(self, count: int) -> RenderedRows:
        """Return the first rows."""
        return RenderedRows._make(own[:count] for own in self)

    def after(self, count: int) -> RenderedRows:
        """Return the rows after the first `count`."""
        return RenderedRows._make(own[count:] for own in self)


class _RenderedRow(NamedTuple):
    row: Row
    params: bytes | None
    own: str
    reason: str | None
    same_as: int | None = None
    is_skipped: bool = False
    same_shard: int | None = None


def note_columns(manifest: Manifest, reader: InputFormat, formats: Formats) -> None:
    """Store what the reader found in the manifest: format, header, notes and columns. Check that an output is possible.

    Raises UploadRejected if a new column has the name of one of the input's.
    """
    manifest.format, manifest.header, manifest.notes = reader.name, reader.header, reader.notes
    if reader.columns is not None:
        new = shape_of(manifest).columns.names
        for taken in (column for column in reader.columns if column in new):
            message = (
                f"{file_key(manifest.upload).filename}: the header has a column '{taken}', which is the "
                "name of an output column; rename it in the file, or set `output: {prefix: …}` in the recipe"
            )
            raise UploadRejected(message)
        _refuse_no_subject(manifest, reader.columns)
        manifest.columns = [Column(name) for name in reader.columns]
    formats_of(manifest, formats)


def _refuse_no_subject(manifest: Manifest, columns: Sequence[str]) -> None:
    """Raise UploadRejected if the file lacks the recipe's `subject`: nobody could find its rows by it."""
    subject = manifest.recipe.subject if manifest.recipe and not manifest.upload.rows_key else None
    if subject is not None and subject not in columns:
        message = (
            f"{file_key(manifest.upload).filename}: the header has no column '{subject}', which the recipe's `subject` "
            f"names (columns: {', '.join(columns)}). Correct `subject`, or the header"
        )
        raise UploadRejected(message)


def request_source(manifest: Manifest, reader: InputFormat, attach: Attacher) -> RequestSource:
    """Return the source of a job's requests. Raises RecipeRejected if the recipe does not fit the file."""
    if manifest.recipe is None:
        return ReadyRequests()
    key = parse_inbox_key(manifest.upload.key)
    check, shape = row_check(manifest), shape_of(manifest)
    requests = RecipeRequests(manifest.recipe, shape, name=key.recipe_key, attach=attach, check_row=check)
    if manifest.is_packed and shape.schema is not None:
        pack_schema(shape.schema, name=key.recipe_key)  # raises before the first row, if it raises
    if reader.columns is not None:
        advice = HEADER_ADVICE if reader.name in WITH_HEADER_KEYS else ""
        if reader.name in DELIMITED and len(reader.columns) == 1:
            advice = DELIMITER_ADVICE
        requests.check_columns(reader.columns, filename=key.filename, advice=advice)
    return requests


def rendered_rows(
    manifest: Manifest,
    blocks: Iterator[list[Row]],
    source: RequestSource,
    room: Room | None = None,
    *,
    most: int = CHUNK_ROWS,
) -> Generator[RenderedRows, None, None]:
    """Yield the rows with their requests, in order, in chunks; add the columns that they name to the manifest.

    `most` is the most rows in a chunk, because a caller that must stop in time can only stop between chunks. Rows that
    attach files are prepared a few at a time, within the room that their files claim; closing the generator ends that.
    Raises UploadRejected at a bad row if the recipe says `on_bad_row: stop`.
    """
    named = _noting_columns(manifest, blocks)
    chunk_rows = min(most, source.chunk_rows)
    if chunk_rows == 1:
        rendered = _one_by_one(named, source, room or Room(), most)
    else:
        rendered = _chunk_by_chunk(named, source, chunk_rows)
    with closing(rendered):
        for some in rendered:
            yield _refusing(manifest, some) if any(some.reasons) else some


def _chunk_by_chunk(
    blocks: Iterator[list[Row]], source: RequestSource, chunk_rows: int
) -> Generator[RenderedRows, None, None]:
    for block in blocks:
        for start in range(0, len(block), chunk_rows):
            yield from _rendered_chunk(block[start : start + chunk_rows], source)


def _rendered_chunk(rows: Sequence[Row], source: RequestSource) -> Generator[RenderedRows, None, None]:
    """Yield rows with their requests; if a row must be rendered by itself, halve the chunk and try again."""
    requests = source.requests(rows)
    if requests is not None:
        nothing = [None] * len(rows)
        yield RenderedRows(rows, *requests, nothing, nothing, [False] * len(rows), nothing)
    elif len(rows) > FEW:
        half = len(rows) // 2
        yield from _rendered_chunk(rows[:half], source)
        yield from _rendered_chunk(rows[half:], source)
    else:
        yield from _joined((_rendered(source, row) for row in rows), len(rows))


def _one_by_one(
    blocks: Iterator[list[Row]], source: RequestSource, room: Room, most: int
) -> Generator[RenderedRows, None, None]:
    rows = chain.from_iterable(blocks)
    ask = partial(_rendered, source)
    return _joined(Prefetch(ask, room).answers(rows) if source.waits else (ask(row) for row in rows), most)


def _rendered(source: RequestSource, row: Row) -> _RenderedRow:
    """Return a row with its request, or with the reason why it has none."""
    if row.error is not None:
        return _RenderedRow(row, None, "", row.error)
    try:
        return _RenderedRow(row, *source.request(row), None)
    except RowRejected as rejected:
        return _RenderedRow(row, None, "", str(rejected), is_skipped=isinstance(rejected, RowSkipped))


def _joined(rendered: Generator[_RenderedRow, None, None], most: int) -> Generator[RenderedRows, None, None]:
    """Yield chunks of rows that were rendered one by one."""
    with closing(chunks(rendered, _size, most=most)) as found:
        for some in found:
            yield RenderedRows._make(zip(*some, strict=True))


def _size(rendered: _RenderedRow) -> int:
    return len(rendered.row.raw) + len(rendered.params or b"")


def _refusing(manifest: Manifest, rendered: RenderedRows) -> RenderedRows:
    """Return the rows with their places added to the reasons.

    Raises UploadRejected with `on_bad_row: stop`, but for empty rows: spreadsheets leave them behind their tables.
    """
    reasons = [reason and f"{row.place}: {reason}" for row, reason in zip(rendered.rows, rendered.reasons, strict=True)]
    if manifest.recipe is not None and manifest.recipe.on_bad_row == "stop":
        each = zip(rendered.rows, reasons, rendered.are_skipped, strict=True)
        may_be = (reason for row, reason, is_skipped in each if not is_skipped and row.error != EMPTY_ROW)
        bad = next(filter(None, may_be), None)
        if bad is not None:
            filename = file_key(manifest.upload).filename
            message = f"{filename} {bad}. Fix the row, or set on_bad_row: skip"
            raise UploadRejected(message)
    return rendered._replace(reasons=reasons)


def _noting_columns(manifest: Manifest, blocks: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """Collect the columns that rows name, if the output needs all of them."""
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
