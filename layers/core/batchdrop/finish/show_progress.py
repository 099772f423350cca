"""Show a running job's progress: each shard notes its own, and every few seconds one of them draws the page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from batchdrop.finish.job_pages import STATUS
from batchdrop.finish.ports import Pages
from batchdrop.finish.request_page import EVERY
from batchdrop.job.job_files import read_manifest
from batchdrop.job.job_progress import JobProgress, ShardProgress
from batchdrop.job.latest_writer import refuse_if_begun_since
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger, ProgressBoard
from batchdrop.job.upload import parse_inbox_key
from batchdrop.ports import Clock, ObjectStore

logger = logging.getLogger(__name__)


def show_progress(
    job_id: str,
    progress: ShardProgress,
    *,
    board: ProgressBoard,
    ledger: Ledger,
    store: Callable[[], ObjectStore],
    pages: Callable[[], Pages],
    clock: Clock,
) -> None:
    """Note a shard's progress; draw `status.html` if it is time. Logs every failure, and raises nothing."""
    try:
        board.note(job_id, progress)
        now = clock.now()
        if board.take_turn(job_id, now, EVERY):
            draw_page(job_id, now, board=board, ledger=ledger, store=store(), pages=pages())
    except Exception:  # the page may fail in any way, but the shard must continue; the log has the traceback
        logger.exception("the page of job %s could not be drawn; the job continues", job_id)


def note_progress(job_id: str, progress: ShardProgress, *, board: ProgressBoard) -> None:
    """Note a shard's progress. Logs every failure, and raises nothing."""
    try:
        board.note(job_id, progress)
    except Exception:  # the note may fail in any way, but the shard must continue; the log has the traceback
        logger.exception("the progress of job %s could not be noted; the job continues", job_id)


def draw_page(
    job_id: str, at: datetime, *, board: ProgressBoard, ledger: Ledger, store: ObjectStore, pages: Pages
) -> None:
    """Write the page of a job that was running `at` this time.

    Raises JobClosedSince or ObjectChanged if the job was closed since; then the page of its end stays.
    """
    manifest = read_manifest(store, job_id)
    if manifest is None:
        return
    progress = JobProgress(
        at=at,
        rows=manifest.rows,
        shards=len(manifest.shards),
        noted=board.noted(job_id),
        failed_shards=[failure.shard for failure in ledger.shard_failures(job_id)],
    )
    key = parse_inbox_key(manifest.upload.key).results_prefix(job_id) + STATUS
    is_open = partial(refuse_if_begun_since, at, JobKeys(job_id).closing, store)
    store.write(key, pages.status(manifest, progress), guard=is_open)
