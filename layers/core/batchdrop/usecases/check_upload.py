"""Look at an upload before it is dropped: the requests it would become, what is wrong with it, what it may cost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

from batchdrop.domain.estimate import Estimate
from batchdrop.domain.even_sample import EvenSample
from batchdrop.domain.lane import LIVE_ROWS, lane_of_job
from batchdrop.domain.limits import MAX_BATCH_REQUESTS
from batchdrop.domain.manifest import Manifest
from batchdrop.domain.recipe import Recipe
from batchdrop.domain.request import Attacher
from batchdrop.domain.row import Cursor
from batchdrop.domain.twins import Twins, is_deduped
from batchdrop.ports import Formats, Source
from batchdrop.usecases.estimating import counting
from batchdrop.usecases.job_files import formats_of, reader_of, shape_of
from batchdrop.usecases.rows_to_ask import AskedRow, asked_rows, note_columns, request_source

SHOWN = 3
REASONS_SHOWN = 5


@dataclass(slots=True)
class Check:
    """What was found. `first` are the `params` of the first requests; `reasons` why the first rejects were refused.

    `twins` are rows that share another row's answer. `sample` are requests from the whole file, evenly spread, if any
    were wanted.
    """

    output: str
    columns: list[str]
    new_columns: list[str]
    estimate: Estimate = field(default_factory=Estimate)
    rows: int = 0
    rejected: int = 0
    twins: int = 0
    first: list[bytes] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    sample: list[bytes] = field(default_factory=list)

    def add(self, row: AskedRow) -> None:
        """Take in one row."""
        self.rows += 1
        if row.params is None:
            self.rejected += 1
            self.reasons += [row.reason or ""][: REASONS_SHOWN - len(self.reasons)]
        else:
            self.first += [row.params][: SHOWN - len(self.first)]


class _Seen:
    """The requests so far, as shards of the largest size would see them."""

    def __init__(self, recipe: Recipe) -> None:
        self._twins = Twins() if is_deduped(recipe) else None
        self._requests = 0

    def is_twin(self, params: bytes) -> bool:
        """Tell whether the same was asked before, and note it."""
        if self._twins is None:
            return False
        if self._twins.first(params) is not None:
            return True
        self._twins.add(params, self._requests)
        self._requests += 1
        if self._requests % MAX_BATCH_REQUESTS == 0:
            self._twins.clear()
        return False


def check_upload(
    manifest: Manifest,
    source: Source,
    *,
    formats: Formats,
    attach: Attacher,
    sample: int = 0,
    live_rows: int = LIVE_ROWS,
) -> Check:
    """Read the whole file as the job would, and send nothing; the manifest gets the estimate and the lane.

    `sample` is how many requests to keep. Raises JobFault as the job would.
    """
    assert manifest.recipe is not None
    reader = reader_of(manifest, formats)
    manifest.format = reader.name
    with closing(reader.rows(source, Cursor())) as rows:
        note_columns(manifest, reader, formats)
        requests = request_source(manifest, reader, attach)
        count, kept = counting(manifest, requests)(), EvenSample(sample)
        seen = _Seen(manifest.recipe)
        check = Check(
            output=formats_of(manifest, formats).output.extension,
            columns=reader.columns or [],
            new_columns=list(shape_of(manifest).columns.names),
        )
        with closing(asked_rows(manifest, rows, requests)) as asked:
            for row in asked:
                check.add(row)
                if row.params is not None and seen.is_twin(row.params):
                    check.twins += 1
                elif row.params is not None:
                    count.add(row.params, requests.own)
                    if sample:
                        kept.offer(row.params)
    check.sample = kept.requests
    manifest.estimate = check.estimate = count.estimate
    manifest.lane = lane_of_job(manifest.recipe, requests=check.estimate.requests, live_rows=live_rows)
    return check
