"""Send an event about a change of a job's state. A job never waits for a listener, and never fails because of one."""

from __future__ import annotations

from batchdrop.job.job_event import JobEvent
from batchdrop.job.ports import EventNotTaken, JobEvents


def tell_job_state(event: JobEvent, *, events: JobEvents) -> str:
    """Send the event; return why it was not accepted, or an empty text.

    The job's state itself is in the bucket, so only the event is lost.
    """
    try:
        events.put(event)
    except EventNotTaken as error:
        return str(error) or type(error).__name__
    return ""
