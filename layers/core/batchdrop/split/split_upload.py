"""Split an upload: read, check and render each row, and pack the requests into shards.

The whole file is split before anything is sent to the API, so a broken file costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from typing import Literal

import msgspec

from batchdrop.admission.budget import NOTHING
from batchdrop.admission.waves import goes_in_waves
from batchdrop.answer_store.ports import Place
from batchdrop.errors import NothingToSend, RecipeRejected, SplitTooSlow, UploadRejected
from batchdrop.job.cache_history import known_hits
from batchdrop.job.expiry import refuse_if_expired
from batchdrop.job.job_files import read_manifest, read_recipe, read_schema, reader_of
from batchdrop.job.lane import deadline_of, lane_of_job
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Draw, Manifest, UploadRecord, file_key
from batchdrop.job.pilot import Asks, lane_marked, leave_at, may_have_pilot
from batchdrop.job.ports import Formats
from batchdrop.job.remembering import AnswersOf
from batchdrop.job.retry import read_order
from batchdrop.job.sample import first_limits
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.stored_source import UploadSource
from batchdrop.job.upload import InboxKey, parse_inbox_key
from batchdrop.limits import LEDGER_KEPT
from batchdrop.money.answer_weight import weigher
from batchdrop.money.prices import PRICES_KEY
from batchdrop.ports import Clock, ObjectMissing, ObjectStore
from batchdrop.recipe.lane import Lane
from batchdrop.requests.chunking import CHUNK_ROWS
from batchdrop.requests.dedupe import Duplicates, EarlierRequests, digests_of, is_deduped, stored_digests
from batchdrop.requests.row import Cursor, Row, StoredRow
from batchdrop.requests.sharding import Loads, Packer, ShardLimits
from batchdrop.settings import LIVE_ROWS
from batchdrop.split.attachments import Attachments
from batchdrop.split.cap import pricer_of, renew_cap
from batchdrop.split.first_rows import first_rows, first_sizes
from batchdrop.split.grouped_split import GroupedSplit
from batchdrop.split.job_estimate import counting, keep_estimate, read_own_models, read_own_prices, refuse_too_expensive
from batchdrop.split.out_of_time import OutOfTime
from batchdrop.split.pack_estimate import note_packs
from batchdrop.split.prefetch import Room
from batchdrop.split.random_sample import DrawnRows, counted, drawn_places, only
from batchdrop.split.ready_made import is_ready_made
from batchdrop.split.remembered_rows import remembered_rows, with_pins
from batchdrop.split.row_models import refuse_unknown_model
from batchdrop.split.rows_to_send import RenderedRows, note_columns, rendered_rows, request_source
from batchdrop.split.shard_lists import first_list, save_split
from batchdrop.split.shard_writer import ShardWriter

ROWS_BETWEEN_TIME_CHECKS = 1_000


@dataclass(frozen=True, slots=True)
class SplitProgress:
    """The progress of a split. If `finished` is False, another invocation must continue at the cursor.

    `expires_at` is when the ledger may drop the job's facts, in Unix seconds; `redrives` of the execution start at 0.
    `deadline` (Unix seconds, 0 for none) is when the live lane takes over. `asks` names the list of shards to send:
    the sample's, the pilot's, or all. `leave_at` (Unix seconds, 0 for never) is when a pilot is waited for no longer.
    `marks` is the lane whose requests may be marked for the prompt cache.
    """

    finished: bool
    shards: int
    rows: int
    requests: int
    expires_at: int
    deadline: int
    redrives: int = 0
    asks: Asks = "shards"
    leave_at: int = 0
    marks: Lane | Literal[""] = ""


def split_upload(
    upload: UploadRecord,
    *,
    store: ObjectStore,
    clock: Clock,
    formats: Formats,
    limits: ShardLimits,
    time_reserve: float,
    live_rows: int = LIVE_ROWS,
    knows_models: bool = False,
    answers: AnswersOf | None = None,
) -> SplitProgress:
    """Split the upload as far as time allows, and save the manifest.

    `knows_models`: requests go to Anthropic's own API, so a model that is unknown here is a fault. `answers` opens the
    answer store; without it, nothing is remembered.
    `time_reserve` is the seconds of the invocation to keep for finishing. Raises JobFault for faults that the user must
    fix, and SplitTooSlow if the time is too short for a single shard.
    """
    started = clock.now()
    # Also for an execution that somebody starts by hand: Step Functions forgets an execution's name after 90 days.
    refuse_if_expired(upload.job_id, upload.uploaded_at, now=started)
    manifest = read_manifest(store, upload.job_id)
    if manifest is None:
        manifest = _open_job(upload, store, formats)
        if knows_models:
            refuse_unknown_model(manifest, parse_inbox_key(upload.key).recipe_key, today=started.date())
    if upload.resumes and manifest.cursor is None:
        renew_cap(manifest, store)
    if manifest.cursor is not None:
        split = (
            GroupedSplit(manifest, store, formats, limits)
            if manifest.is_grouped
            else _Split(manifest, store, formats, limits, live_rows=live_rows, answers=answers)
        )
        split.run(out_of_time=lambda: clock.remaining() < time_reserve)
        manifest.split_ended_at = clock.now()
        manifest.split_seconds += (manifest.split_ended_at - started).total_seconds()
        manifest.lane = lane_of_job(
            manifest.recipe, requests=manifest.requests, live_rows=live_rows, longest=manifest.longest
        )
        manifest.waves = manifest.cursor is None and goes_in_waves(manifest)
        if manifest.cursor is None:
            note_packs(manifest)
        save_split(manifest, store, live_rows)
    if manifest.cursor is None and not manifest.requests and not manifest.remembered:
        raise NothingToSend(_why_nothing(manifest, store))
    if manifest.cursor is None:
        refuse_too_expensive(manifest)
    asks = first_list(manifest, store, is_resumed=upload.resumes > 0)
    return SplitProgress(
        finished=manifest.cursor is None,
        shards=len(manifest.shards),
        rows=manifest.rows,
        requests=manifest.requests,
        expires_at=int((upload.uploaded_at + LEDGER_KEPT).timestamp()),
        deadline=deadline_of(manifest.recipe, upload.uploaded_at),
        asks=asks,
        leave_at=leave_at(asks, clock.now()),
        marks=lane_marked(manifest),
    )


def _open_job(upload: UploadRecord, store: ObjectStore, formats: Formats) -> Manifest:
    """Return the manifest of a new job, after all checks that need no rows."""
    key = parse_inbox_key(upload.key)
    if not upload.size:
        message = f"{key.filename}: the file is empty; drop it again with at least one row"
        raise UploadRejected(message)
    if key.recipe_key == PRICES_KEY:
        message = (
            f"{PRICES_KEY}: the name is reserved for your own prices; give the recipe, and its folder, another name"
        )
        raise RecipeRejected(message)
    order = read_order(store, upload.job_id) if upload.rows_key else None
    if order is not None:
        recipe, schema = order.sent_recipe, order.schema
    else:
        recipe = read_recipe(store, key.recipe_key) if key.recipe else None
        schema = read_schema(store, recipe, recipe_key=key.recipe_key) if recipe else None
    if recipe is not None and recipe.save is not None:
        message = (
            f"{key.recipe_key}: key 'save': a job does not search for a cheaper model. Run `batchdrop save` with the "
            "recipe and the file, and use the recipe that it writes; or remove 'save'"
        )
        raise RecipeRejected(message)
    own_prices = read_own_prices(store)
    own_models = read_own_models(store) if recipe else {}
    manifest = Manifest(upload=upload, format="", recipe=recipe, schema=schema, prices=own_prices, models=own_models)
    manifest.pays_again = order is not None and order.pays_again
    reader = reader_of(manifest, formats)
    if recipe is None and not is_ready_made(UploadSource(store, upload), reader):
        raise RecipeRejected(_no_recipe(upload, key))
    manifest.format = reader.name
    pricer_of(manifest)
    return manifest


def _no_recipe(upload: UploadRecord, key: InboxKey) -> str:
    if key.recipe:
        return f"{key.recipe_key}: the recipe does not exist. Upload it, then drop {upload.key} again"
    return (
        f"{upload.key}: no recipe. Drop the file at inbox/<recipe>/{key.filename}, or make each line of a .jsonl file, "
        'or each element of a JSON array, a request {"custom_id": …, "params": …}'
    )


class _Split:
    """The part of a split in one invocation: it moves the manifest's cursor shard by shard."""

    def __init__(
        self,
        manifest: Manifest,
        store: ObjectStore,
        formats: Formats,
        limits: ShardLimits,
        *,
        live_rows: int,
        answers: AnswersOf | None,
    ) -> None:
        self._manifest = manifest
        self._answers = answers
        self._has_own_limits = manifest.recipe is not None and manifest.recipe.own_tokens is None
        self._live_rows = live_rows
        self._store = store
        self._keys = JobKeys(manifest.upload.job_id)
        self._formats = formats
        self._reader = reader_of(manifest, formats)
        # Chunks are no larger than a shard: if rows are slow, a small shard must not wait for more rows than its own.
        self._most_rows = min(CHUNK_ROWS, limits.max_rows)
        self._limits = limits
        self._priced = pricer_of(manifest)
        self._weigh = weigher(manifest.recipe)
        self._is_deduped = is_deduped(manifest.recipe)
        self._duplicates = Duplicates()
        self._earlier = EarlierRequests()
        self._drawn: DrawnRows | None = None

    def run(self, *, out_of_time: Callable[[], bool]) -> None:
        """Split until the file or the time ends. Raises SplitTooSlow if no shard was completed."""
        before = self._progress
        for item in self._manifest.shards if self._is_deduped else ():
            with suppress(ObjectMissing):  # an older version split it, and its requests are not shared
                self._earlier.add(item.shard, self._store.read(self._keys.digests(item.shard)))
        source = UploadSource(self._store, self._manifest.upload)
        with remembered_rows(self._manifest, self._store, self._answers) as self._remembered:
            try:
                if self._manifest.draws_sample:
                    self._draw_sample(source, out_of_time)
                with self._rows(source, self._manifest.cursor or Cursor()) as blocks:
                    self._write_shards(blocks, out_of_time)
            except OutOfTime as stopped:
                if self._progress == before:
                    message = "one invocation is too short for one shard; make shards smaller (ShardRows)"
                    raise SplitTooSlow(message) from stopped
                return
        if not self._manifest.sections:
            message = f"{source.name}: the file has no rows; drop it again with at least one row"
            raise UploadRejected(message)
        self._manifest.header = self._reader.header  # what follows the last row belongs to it
        self._manifest.cursor = None

    @property
    def _progress(self) -> tuple[int, Draw | None]:
        """Return what every invocation must add to."""
        return len(self._manifest.shards), deepcopy(self._manifest.draw)

    @contextmanager
    def _opened(self, source: UploadSource, start: Cursor) -> Iterator[Iterator[list[Row]]]:
        with closing(self._reader.row_blocks(source, start)) as blocks:
            note_columns(self._manifest, self._reader, self._formats)
            yield blocks

    @contextmanager
    def _rows(
        self,
        source: UploadSource,
        start: Cursor,
        places: Sequence[int] | None = None,
        out_of_time: Callable[[], bool] = bool,
    ) -> Iterator[Iterator[RenderedRows]]:
        """Read and render the rows after `start`, or those at these places."""
        with self._opened(source, start) as blocks:
            wanted = blocks if places is None else only(blocks, places, out_of_time)
            with closing(self._rendered_rows(wanted)) as rendered:
                yield rendered

    def _draw_sample(self, source: UploadSource, out_of_time: Callable[[], bool]) -> None:
        """Write the shard of the random sample, if it is not written. Raises OutOfTime."""
        manifest = self._manifest
        draw = manifest.draw = manifest.draw or Draw()
        if draw.cursor is not None:
            with self._opened(source, draw.cursor) as blocks:
                if not counted(blocks, draw, out_of_time):
                    raise OutOfTime
        if not manifest.shards:
            self._read_anew()
            places = drawn_places(manifest, draw, most=self._limits.max_rows)
            with self._rows(source, Cursor(), places, out_of_time) as rendered:
                self._packer = Packer(manifest.upload.job_id, self._limits)
                self._write_shard(rendered, out_of_time)
        if manifest.cursor == Cursor():
            self._read_anew()
        self._drawn = DrawnRows(manifest, self._store)

    def _read_anew(self) -> None:
        """Start at the file's beginning, as if nothing of it was known."""
        self._manifest.header, self._manifest.columns = "", []
        self._reader = reader_of(self._manifest, self._formats)

    def _rendered_rows(self, blocks: Iterator[list[Row]]) -> Generator[RenderedRows, None, None]:
        room = Room()
        attach = Attachments(self._store, self._manifest.upload.bucket, claim=room.claim)
        self._source = source = request_source(self._manifest, self._reader, attach)
        self._count = counting(self._manifest, source)
        return rendered_rows(self._manifest, blocks, source, room, most=self._most_rows)

    def _open(self, blocks: Iterator[RenderedRows]) -> Iterator[RenderedRows]:
        """Decide how large the first shards are, and open one. Return the blocks, none of them lost."""
        manifest = self._manifest
        if not manifest.shards and may_have_pilot(manifest.recipe):
            first = None
            if not self._source.waits:
                first, blocks = first_rows(blocks, self._count())
            hits = known_hits(manifest, self._store)
            manifest.first = first_sizes(manifest, first, hits=hits, live_rows=self._live_rows)
        limits = replace(self._limits, first=first_limits(manifest))
        self._packer = Packer(manifest.upload.job_id, limits, first_shard=len(manifest.shards))
        return blocks

    def _write_shards(self, blocks: Iterator[RenderedRows], out_of_time: Callable[[], bool]) -> None:
        blocks = self._open(blocks)
        rest = next(blocks, None)
        while rest is not None:
            self._manifest.cursor = rest.rows[0].start
            if out_of_time():
                raise OutOfTime
            rest = self._write_shard(chain((rest,), blocks), out_of_time)
            self._packer.open_next()

    def _write_shard(self, blocks: Iterator[RenderedRows], out_of_time: Callable[[], bool]) -> RenderedRows | None:
        """Write a shard of as many rows as it holds; return the rest of the last chunk, if any."""
        count, worst, looked_at, rest = self._count(), NOTHING, 0, None
        self._duplicates.clear()
        self._digests = bytearray()
        pins: list[tuple[int, Place]] = []
        with ShardWriter(self._store, self._keys, self._packer.shard, self._reader, self._drawn) as writer:
            for rendered in blocks:
                first = writer.rows
                taken, usd, places = self._pack(rendered, first)
                pins += [(row, place) for row, place in enumerate(places, first) if place is not None]
                writer.add(taken)
                count.add(*taken.requests)
                worst += usd
                if len(taken.rows) < len(rendered.rows):
                    rest = rendered.after(len(taken.rows))
                    break
                if writer.rows - looked_at >= ROWS_BETWEEN_TIME_CHECKS:
                    looked_at = writer.rows
                    if out_of_time():
                        raise OutOfTime
            if self._is_deduped:
                writer.keep_digests(bytes(self._digests))
                self._earlier.add(self._packer.shard, bytes(self._digests))
            if self._remembered is not None:
                writer.pin(self._remembered.pins(self._keys.job_id, self._packer.shard, pins))
        estimate = count.estimate
        item = msgspec.structs.replace(writer.item(estimate), worst_usd=worst)
        keep_estimate(self._manifest, item, estimate)
        return rest

    def _pack(self, rendered: RenderedRows, index: int) -> tuple[RenderedRows, Decimal, Sequence[Place | None]]:
        """Pack as many of these rows as fit into the shard, from `index` on.

        Return them, their highest cost, and where the remembered ones have their answers.
        """
        if self._drawn is not None and (drawn := self._drawn.lenders(rendered.rows)) is not None:
            rendered = rendered.without_lent(drawn)
        keys = self._remembered.keys(rendered.params) if self._remembered is not None else None
        digests: Sequence[bytes | None] = []
        if self._is_deduped:
            # A key leaves `max_tokens` out, so it is not used if each row has its own.
            digests = digests_of(rendered.params) if keys is None or self._has_own_limits else keys
            left, lenders = digests, self._earlier.lenders(digests)
            if lenders is not None:
                left = [own if lender is None else None for own, lender in zip(digests, lenders, strict=True)]
                rendered = rendered.without_lent(lenders)
            rendered = rendered.deduplicated(self._duplicates.same_digests(left, index))
        places: Sequence[Place | None] = []
        if self._remembered is not None and keys is not None:
            rendered, places = self._remembered.known(rendered, keys)
        sizes = [None if params is None else len(params) for params in rendered.params]
        priced = self._priced
        usd = [NOTHING if params is None or priced is None else priced(params) for params in rendered.params]
        taken = self._packer.take(Loads(sizes, with_pins(self._weigh(rendered.params), places)))
        self._digests += stored_digests(digests, rendered.params[:taken])
        return rendered.first(taken), sum(usd[:taken], NOTHING), places[:taken]


def _why_nothing(manifest: Manifest, store: ObjectStore) -> str:
    with closing(store.stream(JobKeys(manifest.upload.job_id).rows(manifest.sections[0].shard))) as blocks:
        first = msgspec.json.decode(next(whole_lines(blocks)), type=StoredRow)
    filename = file_key(manifest.upload).filename
    return f"{filename}: none of its {manifest.rows:,} rows can be sent. The first: {first.error}"
