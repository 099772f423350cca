"""Split an upload whose rows share requests by group, wherever in the file the rows of a group stand.

First the file is read in its order: its rows go into blocks, from which the output is written, and its requests into
runs that are sorted by group. Then the runs are merged into shards. Both steps continue where an invocation ended, and
every attempt writes the same bytes under the same keys.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain

from batchdrop.admission.budget import NOTHING
from batchdrop.errors import SplitTooSlow, UploadRejected
from batchdrop.job.job_files import reader_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Grouping, Manifest, ShardItem
from batchdrop.job.ports import Formats
from batchdrop.job.stored_source import UploadSource
from batchdrop.money.answer_weight import weigher
from batchdrop.ports import ObjectStore
from batchdrop.requests.chunking import CHUNK_ROWS
from batchdrop.requests.dedupe import Duplicates, is_deduped
from batchdrop.requests.groups import group_of
from batchdrop.requests.request import RequestSource
from batchdrop.requests.sharding import Loads, Packer, ShardLimits
from batchdrop.split.attachments import Attachments
from batchdrop.split.block_writer import BlockWriter
from batchdrop.split.cap import pricer_of
from batchdrop.split.group_runs import RunRow, RunSpool, merged_runs
from batchdrop.split.group_shards import GroupCount, GroupShard, chunks_of, own_texts
from batchdrop.split.job_estimate import counting, keep_estimate
from batchdrop.split.rows_to_send import RenderedRows, note_columns, rendered_rows, request_source

ROWS_BETWEEN_TIME_CHECKS = 1_000
OutOfTime = Callable[[], bool]


class _TimeIsOver(Exception):  # abandons what is open; never leaves this module
    pass


class GroupedSplit:
    """The part of a grouped job's split in one invocation."""

    def __init__(self, manifest: Manifest, store: ObjectStore, formats: Formats, limits: ShardLimits) -> None:
        assert manifest.recipe is not None, "only a recipe has groups"
        assert manifest.recipe.grouped is not None, "this recipe has none"
        self._by = manifest.recipe.grouped.by
        self._manifest, self._store, self._formats, self._limits = manifest, store, formats, limits
        self._keys = JobKeys(manifest.upload.job_id)
        self._reader = reader_of(manifest, formats)
        self._grouping = manifest.grouping = manifest.grouping or Grouping()

    def run(self, *, out_of_time: OutOfTime) -> None:
        """Gather and arrange until the file or the time ends. Raises SplitTooSlow if nothing was completed."""
        grouping, manifest = self._grouping, self._manifest
        before = (len(grouping.places), len(manifest.shards), grouping.is_gathered)
        try:
            if not grouping.is_gathered:
                self._gather(out_of_time)
            source = request_source(manifest, self._reader, self._attachments())
            _Arranging(manifest, grouping, source, self._store, self._limits).run(out_of_time)
        except _TimeIsOver as stopped:
            if before == (len(grouping.places), len(manifest.shards), grouping.is_gathered):
                message = "one invocation is too short for one shard; make shards smaller (ShardRows)"
                raise SplitTooSlow(message) from stopped
            return
        manifest.cursor = None

    def _attachments(self) -> Attachments:
        return Attachments(self._store, self._manifest.upload.bucket, claim=lambda _: None)

    def _gather(self, out_of_time: OutOfTime) -> None:
        """Write blocks and runs from the cursor on."""
        manifest = self._manifest
        upload = UploadSource(self._store, manifest.upload)
        assert manifest.cursor is not None, "an unfinished split has a cursor"
        with closing(self._reader.row_blocks(upload, manifest.cursor)) as read:
            note_columns(manifest, self._reader, self._formats)
            source = request_source(manifest, self._reader, self._attachments())
            self._frame = frame_around(source.empty)
            most = min(CHUNK_ROWS, self._limits.max_rows)
            with (
                closing(rendered_rows(manifest, read, source, most=most)) as rendered,
                tempfile.TemporaryFile(prefix="run-") as file,
            ):
                self._write_blocks(rendered, RunSpool(file), out_of_time)
        if not manifest.blocks:
            message = f"{upload.name}: the file has no rows; drop it again with at least one row"
            raise UploadRejected(message)
        manifest.header = self._reader.header
        self._grouping.is_gathered = True

    def _write_blocks(self, rendered: Iterator[RenderedRows], spool: RunSpool, out_of_time: OutOfTime) -> None:
        """Write blocks; a run has those since the run before, and the cursor stands before the first of them."""
        written: list[ShardItem] = []
        rest = next(rendered, None)
        while rest is not None:
            if not written:
                self._manifest.cursor = rest.rows[0].start
            if out_of_time():
                raise _TimeIsOver
            block = len(self._manifest.blocks) + len(written)
            rest, item = self._write_block(block, chain((rest,), rendered), spool, out_of_time)
            written.append(item)
            if spool.is_full:
                self._save_run(spool, written)
                written = []
        if written:
            self._save_run(spool, written)

    def _save_run(self, spool: RunSpool, written: list[ShardItem]) -> None:
        with self._store.writer(self._keys.run(len(self._grouping.places))) as target:
            spool.write(target)
        self._grouping.places.append(0)
        self._manifest.blocks += written

    def _write_block(
        self, block: int, rendered: Iterator[RenderedRows], spool: RunSpool, out_of_time: OutOfTime
    ) -> tuple[RenderedRows | None, ShardItem]:
        """Write a block of as many rows as it holds; return the rest of the last chunk, if any, and the block."""
        packer, looked_at, rest = Packer(self._keys.job_id, self._limits), 0, None
        with BlockWriter(self._store, self._keys, block, self._reader) as writer:
            for some in rendered:
                taken = packer.take(Loads([len(row.raw) for row in some.rows], [0] * len(some.rows)))
                kept = some.first(taken)
                writer.add(kept)
                self._spool(kept, spool)
                if taken < len(some.rows):
                    rest = some.after(taken)
                    break
                if writer.rows - looked_at >= ROWS_BETWEEN_TIME_CHECKS:
                    looked_at = writer.rows
                    if out_of_time():
                        raise _TimeIsOver
        return rest, writer.item

    def _spool(self, rendered: RenderedRows, spool: RunSpool) -> None:
        head, tail = map(len, self._frame)
        for row, params in zip(rendered.rows, rendered.params, strict=True):
            if params is not None:
                [(shared, _)] = own_texts([params])
                spool.add(group_of(row.cells, self._by, shared), row.start.rows, params[head : len(params) - tail])


def frame_around(empty: bytes | None) -> tuple[bytes, bytes]:
    """Return what stands before and after a row's content in its request. `empty` is a request without text."""
    assert empty is not None, "rows of packs have no parameters of their own"
    head, _, tail = empty.rpartition(b'[{"type":"text","text":""},{"type":"text","text":""}]')
    return head, tail


class _Arranging:
    """Merges the runs into shards."""

    def __init__(
        self, manifest: Manifest, grouping: Grouping, source: RequestSource, store: ObjectStore, limits: ShardLimits
    ) -> None:
        self._manifest, self._grouping, self._store = manifest, grouping, store
        self._keys = JobKeys(manifest.upload.job_id)
        self._frame = frame_around(source.empty)
        self._count = counting(manifest, source)
        self._priced = pricer_of(manifest)
        self._weigh = weigher(manifest.recipe)
        self._duplicates = Duplicates() if is_deduped(manifest.recipe) else None
        self._packer = Packer(self._keys.job_id, limits, first_shard=len(manifest.shards))

    def run(self, out_of_time: OutOfTime) -> None:
        """Write the shards that are left."""
        chunks = chunks_of(merged_runs(self._keys, self._grouping.places, self._store))
        rest = next(chunks, None)
        while rest is not None:
            if out_of_time():
                raise _TimeIsOver
            rest = self._write_shard(chain((rest,), chunks), out_of_time)
            self._packer.open_next()

    def _write_shard(self, chunks: Iterator[list[RunRow]], out_of_time: OutOfTime) -> list[RunRow] | None:
        count, groups, worst, rest = self._count(), GroupCount(self._manifest), NOTHING, None
        places = [*self._grouping.places]
        if self._duplicates is not None:
            self._duplicates.clear()
        with GroupShard(self._store, self._keys, self._packer.shard) as shard:
            for rows in chunks:
                params = [b"%b%b%b" % (self._frame[0], row.content, self._frame[1]) for row in rows]
                same_as = self._same_as(params, shard.rows)
                own = [None if same is not None else one for one, same in zip(params, same_as, strict=True)]
                sizes = [None if one is None else len(one) for one in own]
                taken = self._packer.take(Loads(sizes, self._weigh(own)))
                shard.add(rows[:taken], params[:taken], same_as[:taken])
                sent = [(row, one) for row, one in zip(rows[:taken], own, strict=False) if one is not None]
                texts = own_texts([one for _, one in sent])
                count.add([one for _, one in sent], [f"{shared}\n{text}" for shared, text in texts])
                for (row, one), (shared, _) in zip(sent, texts, strict=True):
                    groups.add(row.digest, shared)
                    worst += self._priced(one) if self._priced is not None else NOTHING
                for row in rows[:taken]:
                    places[row.run] = row.end
                if taken < len(rows):
                    rest = rows[taken:]
                    break
                if out_of_time():
                    raise _TimeIsOver
        groups.end_group()
        estimate = count.estimate
        keep_estimate(self._manifest, shard.item(estimate.input_tokens, estimate.max_output_tokens, worst), estimate)
        self._grouping.add(groups.counted)
        self._grouping.places[:] = places
        return rest

    def _same_as(self, params: list[bytes], first: int) -> list[int | None]:
        return [None] * len(params) if self._duplicates is None else self._duplicates.same_as(params, first)
