"""In-memory stand-ins for what tells of jobs and what watches them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from batchdrop.job.job_event import JobEvent
from batchdrop.job.ports import EventNotTaken


class FakeJobEvents:
    """Keeps what was told. `refusal` set: nothing is taken, and why."""

    def __init__(self, refusal: str = "") -> None:
        self.told: list[JobEvent] = []
        self.refusal = refusal

    def put(self, event: JobEvent) -> None:
        """Tell of one change. Raises EventNotTaken."""
        if self.refusal:
            raise EventNotTaken(self.refusal)
        self.told.append(event)


class FakeOpenJobs:
    """The jobs that were started at these times, and are open."""

    def __init__(self, *started: datetime) -> None:
        self.started = started

    def started_at(self) -> Iterator[datetime]:
        """Yield when each open job was started."""
        yield from self.started
