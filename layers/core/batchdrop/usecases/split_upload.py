"""Split an upload: read, check and render each row, and pack the requests into shards.

Nothing is sent to the API before the whole file is split, so whatever is wrong with it costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, groupby
from operator import attrgetter
from typing import Literal

import msgspec

from batchdrop.domain import custom_id
from batchdrop.domain.answer_weight import weigher
from batchdrop.domain.budget import NOTHING
from batchdrop.domain.lane import LIVE_ROWS, deadline_of, lane_of_job
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.limits import LEDGER_KEPT
from batchdrop.domain.manifest import Manifest, MapItem, UploadRecord
from batchdrop.domain.prices import PRICES_KEY
from batchdrop.domain.request import ReadyRequest, request_line
from batchdrop.domain.row import Cursor, Row, StoredRow
from batchdrop.domain.sample import SAMPLE_SHARD, has_sample, lane_of_shard, sample_limit
from batchdrop.domain.sharding import Packer, Placement, ShardLimits
from batchdrop.domain.twins import Twins, is_deduped
from batchdrop.domain.upload import InboxKey, parse_inbox_key
from batchdrop.domain.worst_case import shard_most
from batchdrop.errors import NothingToAsk, RecipeRejected, SplitTooSlow, UploadRejected
from batchdrop.ports import Clock, Formats, InputFormat, ObjectStore
from batchdrop.usecases.attachments import Attachments
from batchdrop.usecases.estimating import counting, keep_estimate, read_own_prices, refuse_too_expensive
from batchdrop.usecases.job_cap import pricer_of, renew_cap
from batchdrop.usecases.job_files import (
    read_manifest,
    read_recipe,
    read_schema,
    reader_of,
    write_manifest,
)
from batchdrop.usecases.look_ahead import Room
from batchdrop.usecases.rows_to_ask import AskedRow, asked_rows, note_columns, request_source
from batchdrop.usecases.shard_writer import ShardWriter
from batchdrop.usecases.stored_lines import whole_lines
from batchdrop.usecases.stored_source import UploadSource

ROWS_BETWEEN_TIME_CHECKS = 1_000
READY_MADE_FORMATS = {"jsonl"}


@dataclass(frozen=True, slots=True)
class SplitProgress:
    """How far a split has come. `finished` False asks for another invocation, which goes on at the cursor.

    `expires_at` is when the job's facts may leave the ledger, in Unix seconds; `redrives` of the execution start at 0.
    `deadline` (Unix seconds, 0 for none) is when the live lane takes over. `asks` names the list of shards to be asked
    first: the sample's one, or all.
    """

    finished: bool
    shards: int
    rows: int
    requests: int
    expires_at: int
    deadline: int
    redrives: int = 0
    asks: Literal["sample", "shards"] = "shards"


def split_upload(
    upload: UploadRecord,
    *,
    store: ObjectStore,
    clock: Clock,
    formats: Formats,
    limits: ShardLimits,
    time_reserve: float,
    live_rows: int = LIVE_ROWS,
) -> SplitProgress:
    """Split the upload as far as time allows, and save the manifest.

    `time_reserve` is the seconds of the invocation to keep for finishing. Raises JobFault for what the user must
    mend, SplitTooSlow if the time did not suffice for a single shard.
    """
    started = clock.now()
    manifest = read_manifest(store, upload.job_id) or _open_job(upload, store, formats)
    if upload.resumes and manifest.cursor is None:
        renew_cap(manifest, store)
    if manifest.cursor is not None:
        _Split(manifest, store, formats, limits).run(out_of_time=lambda: clock.remaining() < time_reserve)
        manifest.split_ended_at = clock.now()
        manifest.split_seconds += (manifest.split_ended_at - started).total_seconds()
        manifest.lane = lane_of_job(manifest.recipe, requests=manifest.requests, live_rows=live_rows)
        _save(manifest, store, live_rows)
    if manifest.cursor is None and not manifest.requests:
        raise NothingToAsk(_why_nothing(manifest, store))
    if manifest.cursor is None:
        refuse_too_expensive(manifest)
    return SplitProgress(
        finished=manifest.cursor is None,
        shards=len(manifest.shards),
        rows=manifest.rows,
        requests=manifest.requests,
        expires_at=int((upload.uploaded_at + LEDGER_KEPT).timestamp()),
        deadline=deadline_of(manifest.recipe, upload.uploaded_at),
        asks="sample" if has_sample(manifest) else "shards",
    )


def _open_job(upload: UploadRecord, store: ObjectStore, formats: Formats) -> Manifest:
    """Check what can be checked before the first row."""
    key = parse_inbox_key(upload.key)
    if not upload.size:
        message = f"{key.filename}: the file is empty; drop it again with at least one row"
        raise UploadRejected(message)
    if key.recipe_key == PRICES_KEY:
        message = f"{PRICES_KEY}: that name is kept for your own prices; give the recipe, and its folder, another name"
        raise RecipeRejected(message)
    recipe = read_recipe(store, key.recipe_key) if key.recipe else None
    schema = read_schema(store, recipe, recipe_key=key.recipe_key) if recipe else None
    manifest = Manifest(upload=upload, format="", recipe=recipe, schema=schema, prices=read_own_prices(store))
    reader = reader_of(manifest, formats)
    if recipe is None and not _is_ready_made(upload, store, reader):
        raise RecipeRejected(_no_recipe(upload, key))
    manifest.format = reader.name
    pricer_of(manifest)
    return manifest


def _is_ready_made(upload: UploadRecord, store: ObjectStore, reader: InputFormat) -> bool:
    """Tell whether the file needs no recipe: its first line is a request already."""
    if reader.name not in READY_MADE_FORMATS:
        return False
    with closing(reader.rows(UploadSource(store, upload), Cursor())) as rows:
        first = next(rows, None)
    return first is not None and all(name in first.cells for name in ReadyRequest.__struct_fields__)


def _no_recipe(upload: UploadRecord, key: InboxKey) -> str:
    if key.recipe:
        return f"{key.recipe_key}: there is no such recipe. Upload it, then drop {upload.key} again"
    return (
        f"{upload.key}: no recipe. Drop the file at inbox/<recipe>/{key.filename}, or make each line of a .jsonl file "
        'a request {"custom_id": …, "params": …}'
    )


class _Placed(msgspec.Struct, frozen=True):  # one a row: a NamedTuple takes three times as long to make
    """A row with its place. `params` is None for a reject, and `reason` says why.

    It is None, too, for a row that asks the same as the shard's row `same_as`.
    """

    row: Row
    placement: Placement
    params: bytes | None
    reason: str | None
    own: str = ""
    same_as: int | None = None
    usd: Decimal = NOTHING


class _OutOfTime(Exception):  # ends a shard in the middle; never leaves this module
    pass


class _Split:
    """One invocation's share of a split: it moves the manifest's cursor shard by shard."""

    def __init__(self, manifest: Manifest, store: ObjectStore, formats: Formats, limits: ShardLimits) -> None:
        self._manifest = manifest
        self._store = store
        self._keys = JobKeys(manifest.upload.job_id)
        self._formats = formats
        self._reader = reader_of(manifest, formats)
        limits = replace(limits, sample=sample_limit(manifest.recipe), max_usd=shard_most(manifest.recipe))
        self._packer = Packer(manifest.upload.job_id, limits, first_shard=len(manifest.shards))
        self._priced = pricer_of(manifest)
        self._weigh = weigher(manifest.recipe)

    def run(self, *, out_of_time: Callable[[], bool]) -> None:
        """Split until the file or the time ends. Raises SplitTooSlow if no shard was completed in this time."""
        shards_before = len(self._manifest.shards)
        source = UploadSource(self._store, self._manifest.upload)
        with closing(self._reader.rows(source, self._manifest.cursor or Cursor())) as rows:
            note_columns(self._manifest, self._reader, self._formats)
            try:
                with closing(self._asked(rows)) as asked:
                    self._write_shards(self._placed(asked), out_of_time)
            except _OutOfTime as stopped:
                if len(self._manifest.shards) == shards_before:
                    message = (
                        "the time of one invocation does not suffice for one shard; make shards smaller (ShardRows)"
                    )
                    raise SplitTooSlow(message) from stopped
                return
        if not self._manifest.shards:
            message = f"{source.name}: there is no row in the file; drop it again with at least one row"
            raise UploadRejected(message)
        self._manifest.cursor = None

    def _asked(self, rows: Iterator[Row]) -> Generator[AskedRow, None, None]:
        room = Room()
        attach = Attachments(self._store, self._manifest.upload.bucket, claim=room.claim)
        self._source = request_source(self._manifest, self._reader, attach)
        self._count = counting(self._manifest, self._source)
        return asked_rows(self._manifest, rows, self._source, room)

    def _placed(self, rows: Iterator[AskedRow]) -> Iterator[_Placed]:
        if is_deduped(self._manifest.recipe):
            yield from self._placed_once(rows)
            return
        for asked in rows:
            yield self._place(asked)

    def _place(self, asked: AskedRow) -> _Placed:
        params = asked.params
        if params is None:
            return _Placed(asked.row, self._packer.place(None), None, asked.reason)
        usd = NOTHING if self._priced is None else self._priced(params)
        placement = self._packer.place(len(params), usd, self._weigh(params))
        return _Placed(asked.row, placement, params, None, self._source.own, None, usd)

    def _placed_once(self, rows: Iterator[AskedRow]) -> Iterator[_Placed]:
        """Place rows so that no shard asks the same twice."""
        twins = Twins()
        for asked in rows:
            params = asked.params
            same_as = None if params is None or self._packer.is_full else twins.first(params)
            if same_as is not None:
                yield _Placed(asked.row, self._packer.place(None), None, None, same_as=same_as)
                continue
            placed = self._place(asked)
            if placed.placement.opens_shard:
                twins.clear()
            if params is not None:
                twins.add(params, placed.placement.index)
            yield placed

    def _write_shards(self, placed_rows: Iterator[_Placed], out_of_time: Callable[[], bool]) -> None:
        for shard, group in groupby(placed_rows, key=attrgetter("placement.shard")):
            first = next(group)
            self._manifest.cursor = first.row.start
            if out_of_time():
                raise _OutOfTime
            rows = chain((first,), group)  # noqa: B031 - the group is used up once: `next` above took only its first
            self._write_shard(shard, rows, out_of_time)

    def _write_shard(self, shard: int, group: Iterator[_Placed], out_of_time: Callable[[], bool]) -> None:
        count, worst = self._count(), NOTHING
        own_ids = custom_id.prefix(self._manifest.upload.job_id, shard)
        with ShardWriter(self._store, self._keys, shard, self._reader) as writer:
            for placed in group:
                params, line = placed.params, None
                if params is not None:
                    worst += placed.usd
                    line = request_line(custom_id.after(own_ids, placed.placement.index), params)
                    count.add(params, placed.own)
                writer.add(placed.row, placed.reason, line, placed.same_as)
                if writer.rows % ROWS_BETWEEN_TIME_CHECKS == 0 and out_of_time():
                    raise _OutOfTime
        estimate = count.estimate
        item = msgspec.structs.replace(writer.item(estimate), worst_usd=worst)
        keep_estimate(self._manifest, item, estimate)


def _save(manifest: Manifest, store: ObjectStore, live_rows: int) -> None:
    """Write the manifest; once the whole file is split, write the Map's items before it."""
    if manifest.cursor is None:
        total = len(manifest.shards)
        items = [
            MapItem(item.shard, total, item.requests, lane_of_shard(manifest, item.shard, live_rows=live_rows))
            for item in manifest.shards
        ]
        keys = JobKeys(manifest.upload.job_id)
        store.write(keys.shards, msgspec.json.encode(items))
        if has_sample(manifest):
            store.write(keys.sample, msgspec.json.encode(items[SAMPLE_SHARD : SAMPLE_SHARD + 1]))
    write_manifest(store, manifest)


def _why_nothing(manifest: Manifest, store: ObjectStore) -> str:
    with closing(store.stream(JobKeys(manifest.upload.job_id).rows(0))) as blocks:
        first = msgspec.json.decode(next(whole_lines(blocks)), type=StoredRow)
    filename = parse_inbox_key(manifest.upload.key).filename
    return f"{filename}: none of its {manifest.rows:,} rows can be asked. The first: {first.error}"
