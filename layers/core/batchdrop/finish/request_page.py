"""Have a running job's page drawn by somebody else: who answers requests has neither the time nor the templates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from batchdrop.finish.ports import PageDrawer
from batchdrop.job.ports import ProgressBoard
from batchdrop.ports import Clock

EVERY = timedelta(seconds=20)  # at most so often is a job's page drawn, however many know of news

logger = logging.getLogger(__name__)


def request_page(job_id: str, *, board: ProgressBoard, drawer: Callable[[], PageDrawer], clock: Clock) -> None:
    """Ask for the page of a job if it is time. Whatever fails here is logged, and raises nothing."""
    try:
        now = clock.now()
        if board.take_turn(job_id, now, EVERY):
            drawer().request(job_id, now)
    except Exception:  # a page for people must never stop a slice, whatever breaks; the log has it whole
        logger.exception("nobody could be asked for the page of job %s; the job goes on", job_id)
