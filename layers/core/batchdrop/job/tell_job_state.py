"""Tell whoever listens that a job's state changed. A job never waits for a listener, nor fails for one's sake."""

from __future__ import annotations

from batchdrop.job.job_event import JobEvent
from batchdrop.job.ports import EventNotTaken, JobEvents


def tell_job_state(event: JobEvent, *, events: JobEvents) -> str:
    """Put the event; return why it could not be put, or nothing.

    The job's state itself stands in the bucket, so nothing but the news is lost.
    """
    try:
        events.put(event)
    except EventNotTaken as error:
        return str(error) or type(error).__name__
    return ""
