"""Look at an upload before it is dropped: the requests it would become, what is wrong with it, what it may cost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

from batchdrop.domain.estimate import Estimate
from batchdrop.domain.manifest import Manifest
from batchdrop.domain.request import Attacher
from batchdrop.domain.row import Cursor
from batchdrop.ports import Formats, Source
from batchdrop.usecases.job_files import formats_of, reader_of, shape_of
from batchdrop.usecases.rows_to_ask import asked_rows, note_columns, request_source

SHOWN = 3
REASONS_SHOWN = 5


@dataclass(slots=True)
class Check:
    """What was found. `first` are the `params` of the first requests; `reasons` why the first rejects were refused."""

    output: str
    columns: list[str]
    new_columns: list[str]
    estimate: Estimate
    rows: int = 0
    rejected: int = 0
    first: list[bytes] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def check_upload(manifest: Manifest, source: Source, *, formats: Formats, attach: Attacher) -> Check:
    """Read the whole file as the job would, and send nothing. Raises JobFault as the job would."""
    assert manifest.recipe is not None
    reader = reader_of(manifest, formats)
    manifest.format = reader.name
    with closing(reader.rows(source, Cursor())) as rows:
        note_columns(manifest, reader, formats)
        requests = request_source(manifest, reader, attach)
        check = Check(
            output=formats_of(manifest, formats).output.extension,
            columns=reader.columns or [],
            new_columns=list(shape_of(manifest).columns.names),
            estimate=Estimate(manifest.recipe.model, manifest.recipe.max_tokens),
        )
        with closing(asked_rows(manifest, rows, requests)) as asked:
            for _, params, reason in asked:
                check.rows += 1
                if params is None:
                    check.rejected += 1
                    check.reasons += [reason or ""][: REASONS_SHOWN - len(check.reasons)]
                else:
                    check.estimate.add(params)
                    check.first += [params][: SHOWN - len(check.first)]
    return check
