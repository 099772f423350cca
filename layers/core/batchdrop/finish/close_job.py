"""Close a job: stitch the shards' parts into the output, account for every row, and write the summary."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from batchdrop.finish.job_pages import write_pages
from batchdrop.finish.job_summary import encoded, of_version, summary_of, too_few_answered
from batchdrop.finish.pilot_outcome import keep_history, pilot_block
from batchdrop.finish.ports import Pages
from batchdrop.finish.published_runs import publish_runs
from batchdrop.finish.raw_answers import keep_raw_answers
from batchdrop.finish.stitch_job import JobStitch
from batchdrop.finish.stitch_versions import VersionStitch
from batchdrop.job.job_files import formats_of, read_manifest
from batchdrop.job.latest_writer import announce, refuse_if_begun_since
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import Formats, Ledger
from batchdrop.job.remembering import AnswersOf
from batchdrop.job.sample import drawn_notes
from batchdrop.job.submission import Halt
from batchdrop.job.upload import results_prefix
from batchdrop.ports import Clock, ObjectChanged, ObjectStore
from batchdrop.report.summary import Fault, OutputBlock, Summary, fault_of
from batchdrop.report.tally import Tally

TRIES = 3  # of one closing, if other closings write at the same time


def close_job(
    upload: UploadRecord,
    fault: Fault | None,
    *,
    store: ObjectStore,
    ledger: Ledger,
    clock: Clock,
    formats: Formats,
    pages: Pages,
    keeps_answers: bool = False,
    answers: AnswersOf | None = None,
) -> Summary:
    """Write the job's outputs and return its summary. `keeps_answers`: also the API's own result lines.

    `fault` is why the job stopped before its shards were sent. Then only the summary is written; if the whole file was
    split, also the output, with each row's reason. `answers` opens the answer store, which gets the job's answers.
    Raises InvariantBroken if the output would lack a row, and JobClosedSince if a later closing has begun.
    """
    began = clock.now()
    tries = TRIES
    while True:
        try:
            return _closed(
                upload,
                fault,
                began,
                store=store,
                ledger=ledger,
                clock=clock,
                formats=formats,
                pages=pages,
                keeps_answers=keeps_answers,
                answers=answers,
            )
        except ObjectChanged:  # another closing wrote: start again, which raises JobClosedSince if that one is later
            tries -= 1
            if not tries:
                raise


def _closed(
    upload: UploadRecord,
    fault: Fault | None,
    began: datetime,
    *,
    store: ObjectStore,
    ledger: Ledger,
    clock: Clock,
    formats: Formats,
    pages: Pages,
    keeps_answers: bool,
    answers: AnswersOf | None,
) -> Summary:
    closing_key = JobKeys(upload.job_id).closing
    began = announce(began, closing_key, store)
    is_last = partial(refuse_if_begun_since, began, closing_key, store)
    prefix = results_prefix(upload.key, upload.job_id)
    manifest = read_manifest(store, upload.job_id)
    halt = ledger.halted(upload.job_id)
    faults = [fault] if fault else []
    faults += [Fault(halt.error, halt.reason)] if halt else []
    tally = Tally()
    outputs = OutputBlock(None, None)
    versions: VersionStitch | None = None
    if manifest is not None and manifest.cursor is None:
        faults += _shard_faults(upload.job_id, halt, ledger)
        job_formats = formats_of(manifest, formats)
        if upload.rows_key:
            versions = VersionStitch(manifest, faults, store, ledger, formats, began, answers=answers)
            job_formats = versions.formats
        stitch = versions or JobStitch(manifest, faults, store, ledger, job_formats, began, answers=answers)
        tally = stitch.write(prefix, is_last)
        manifest.notes = [
            *manifest.notes,
            *drawn_notes(manifest),
            *stitch.notes,
            *publish_runs(manifest, stitch.runs, answers),
        ]
        faults += [] if faults else too_few_answered(tally, manifest.recipe)
        raw_answers = f"{prefix}answers.jsonl"
        is_kept = keeps_answers and keep_raw_answers(upload.job_id, raw_answers, store=store, guard=is_last)
        outputs = OutputBlock(
            f"{prefix}output.{job_formats.output.extension}",
            f"{prefix}failed.jsonl",
            perhaps_paid=f"{prefix}perhaps-paid.jsonl" if tally.rows_perhaps_paid else None,
            answers=raw_answers if is_kept else None,
        )
    pilot = pilot_block(manifest, store)
    summary = summary_of(upload, prefix, manifest, tally, faults, outputs, ledger, began, clock.now(), pilot)
    if versions is not None and manifest is not None:
        summary = of_version(summary, manifest, versions.own, versions.first)
    keep_history(manifest, versions.own.tokens if versions else tally.tokens, store)
    summary = write_pages(summary, manifest, tally.statistics, pages=pages, store=store, is_last=is_last)
    store.write(f"{prefix}summary.json", encoded(summary), guard=is_last)
    return summary


def _shard_faults(job_id: str, halt: Halt | None, ledger: Ledger) -> list[Fault]:
    """Return the faults of single shards, without those that repeat the job's halt."""
    failures = ledger.shard_failures(job_id)
    return [fault_of(one.error, one.cause, one.shard) for one in failures if halt is None or one.error != halt.error]
