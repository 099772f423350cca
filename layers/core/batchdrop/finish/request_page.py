"""Request a running job's page. Another function draws it: live workers have neither the time nor the templates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from batchdrop.finish.ports import PageDrawer
from batchdrop.job.ports import ProgressBoard
from batchdrop.ports import Clock

EVERY = timedelta(seconds=20)  # a job's page is drawn at most once in this time, however many functions report progress

logger = logging.getLogger(__name__)


def request_page(job_id: str, *, board: ProgressBoard, drawer: Callable[[], PageDrawer], clock: Clock) -> None:
    """Request the page of a job if it is time. Logs every failure, and raises nothing."""
    try:
        now = clock.now()
        if board.take_turn(job_id, now, EVERY):
            drawer().request(job_id, now)
    except Exception:  # the page may fail in any way, but the slice must continue; the log has the traceback
        logger.exception("the page of job %s could not be requested; the job continues", job_id)
