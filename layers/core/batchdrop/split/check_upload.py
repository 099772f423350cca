"""Check an upload before it is dropped: its requests, its rejects, and its estimated cost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from batchdrop.errors import RecipeRejected, UploadRejected
from batchdrop.job.job_files import formats_of, reader_of, shape_of
from batchdrop.job.lane import lane_of_job
from batchdrop.job.manifest import Manifest
from batchdrop.job.ports import Formats
from batchdrop.job.remembering import AnswersOf
from batchdrop.money.estimate import Estimate
from batchdrop.ports import Source
from batchdrop.recipe.recipe import Recipe
from batchdrop.report.gold_counts import GoldByField, GoldCounter
from batchdrop.requests.dedupe import MOST_KNOWN, Duplicates, is_deduped
from batchdrop.requests.request import Attacher, RecipeRequests
from batchdrop.requests.row import Cursor
from batchdrop.settings import LIVE_ROWS
from batchdrop.split.cache_decision import note_cache
from batchdrop.split.even_sample import EvenSample
from batchdrop.split.groups_seen import GroupsSeen
from batchdrop.split.job_estimate import counting
from batchdrop.split.pack_estimate import note_packs
from batchdrop.split.ready_made import is_ready_made
from batchdrop.split.remembered_rows import RememberedRows, looked_up
from batchdrop.split.rows_to_send import RenderedRows, note_columns, rendered_rows, request_source

SHOWN = 3
REASONS_SHOWN = 5

_Requests = tuple[list[bytes], list[str]]  # their `params`, and their rows' own texts


@dataclass(slots=True)
class Check:
    """The result. `first` are the `params` of the first requests; `reasons` are those of the first rejects.

    `notes` says what was found in the file and is not plain from its name. `duplicates` counts the rows that share
    another row's answer; `skipped` those that the recipe skips; `empty` those that are sent although all columns of the
    prompt are empty. `remembered` counts the requests that the answer store answers, and `saved` is their estimate; it
    is None if the store has no answers of the recipe. `sample` holds requests from all over the file, if the caller
    wants any. `gold` counts the rows that hold a truth.
    """

    output: str
    columns: list[str]
    new_columns: list[str]
    estimate: Estimate = field(default_factory=Estimate)
    rows: int = 0
    rejected: int = 0
    skipped: int = 0
    empty: int = 0
    duplicates: int = 0
    remembered: int = 0
    saved: Estimate | None = None
    first: list[bytes] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    sample: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    gold: GoldByField = field(default_factory=dict)

    def add(self, rendered: RenderedRows) -> None:
        """Add rows."""
        each = zip(rendered.reasons, rendered.are_skipped, strict=True)
        reasons = [reason for reason, is_skipped in each if reason is not None and not is_skipped]
        self.rows += len(rendered.rows)
        self.rejected += len(reasons)
        self.skipped += sum(rendered.are_skipped)
        self.reasons += reasons[: REASONS_SHOWN - len(self.reasons)]
        params = (own for own in rendered.params if own is not None)
        self.first += islice(params, SHOWN - len(self.first))


class _Seen:
    """The distinct requests so far, as many of them as a split knows."""

    def __init__(self, recipe: Recipe | None) -> None:
        self._duplicates = Duplicates() if is_deduped(recipe) else None
        self._requests = 0

    def new_requests(self, rendered: RenderedRows) -> tuple[list[bytes], list[str]]:
        """Return the requests that are not duplicates, with their rows' own texts; remember them."""
        params, owns = [], []
        for request, own in zip(rendered.params, rendered.owns, strict=True):
            if request is not None and not self._is_duplicate(request):
                params.append(request)
                owns.append(own)
        return params, owns

    def _is_duplicate(self, params: bytes) -> bool:
        if self._duplicates is None:
            return False
        if self._duplicates.same_as((params,), self._requests) != [None]:
            return True
        self._requests += 1
        if self._requests % MOST_KNOWN == 0:
            self._duplicates.clear()
        return False


def check_upload(
    manifest: Manifest,
    source: Source,
    *,
    formats: Formats,
    attach: Attacher,
    sample: int = 0,
    live_rows: int = LIVE_ROWS,
    answers: AnswersOf | None = None,
) -> Check:
    """Read the whole file like the job would, without sending anything. The manifest gets the estimate and the lane.

    `sample` is the number of requests to keep. `answers` opens the answer store. Raises JobFault like the job.
    """
    reader = reader_of(manifest, formats)
    if manifest.recipe is None and not is_ready_made(source, reader):
        message = (
            f"{source.name}: no recipe, and the first row is not a request; give the recipe before the file, or make "
            'each row a request {"custom_id": …, "params": …}'
        )
        raise RecipeRejected(message)
    manifest.format = reader.name
    with closing(reader.row_blocks(source, Cursor())) as blocks, looked_up(manifest, answers) as known:
        note_columns(manifest, reader, formats)
        requests = request_source(manifest, reader, attach)
        counts = counting(manifest, requests)
        count, saved, kept = counts(), counts(), EvenSample(sample)
        seen = _Seen(manifest.recipe)
        groups = GroupsSeen(manifest) if manifest.is_grouped else None
        check = Check(
            output=formats_of(manifest, formats).output.extension,
            columns=reader.columns or [],
            new_columns=list(shape_of(manifest).columns.names),
        )
        gold = GoldCounter(check.gold, shape_of(manifest).gold, reader.cells)
        with closing(rendered_rows(manifest, blocks, requests)) as rendered:
            for some in rendered:
                check.add(some)
                gold.add_unsent(some.rows)
                if isinstance(requests, RecipeRequests):
                    sent = zip(some.rows, some.params, strict=True)
                    check.empty += sum(params is not None and requests.is_empty(row) for row, params in sent)
                params, owns = seen.new_requests(some)
                check.duplicates += sum(own is not None for own in some.params) - len(params)
                if known is not None:
                    (params, owns), hits = _parted(params, owns, known)
                    saved.add(*hits)
                    check.remembered += len(hits[0])
                count.add(params, owns)
                if groups is not None:
                    groups.add(some)
                if sample:
                    for one in params:
                        kept.offer(one)
    if not check.rows:
        message = f"{source.name}: the file has no rows; drop it again with at least one row"
        raise UploadRejected(message)
    check.saved = None if known is None else saved.estimate
    check.sample, check.notes = kept.requests, reader.notes
    manifest.estimate = check.estimate = count.estimate
    to_send, longest = check.estimate.requests, manifest.longest
    manifest.lane = lane_of_job(manifest.recipe, requests=to_send, live_rows=live_rows, longest=longest)
    if groups is not None:
        manifest.grouping = groups.counted()
    note_packs(manifest)
    note_cache(manifest)
    check.estimate = manifest.estimate or check.estimate
    return check


def _parted(params: list[bytes], owns: list[str], known: RememberedRows) -> tuple[_Requests, _Requests]:
    """Return the requests that must be sent, and those that the answer store answers."""
    new: _Requests = ([], [])
    hits: _Requests = ([], [])
    for one, own, place in zip(params, owns, known.places(known.keys(params)), strict=True):
        requests, texts = new if place is None else hits
        requests.append(one)
        texts.append(own)
    return new, hits
