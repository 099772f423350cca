"""The live views of running jobs: each job is looked at once a second at most, however many pages watch it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.job_view import JobView, JobWatcher
from batchdrop.cli.job.jobs import Job
from batchdrop.cli.job.watching import FAR_LOOK_SECONDS, watcher_of

NEAR_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class _Watched:
    watcher: JobWatcher
    looked_at: float = float("-inf")
    view: JobView | None = None
    lock: Lock = field(default_factory=Lock)


class Feed:
    """The newest views of jobs. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._lock = Lock()

    def view(self, deployment: Deployment, job: Job) -> JobView:
        """Return a job's view, which is a second old at most (two on AWS). The job must have an execution."""
        with self._lock:
            watched = self._watched.setdefault(job.newest.arn, _Watched(watcher_of(deployment, job)))
        with watched.lock:
            if watched.view is None or self._clock() - watched.looked_at >= seconds_between(deployment):
                watched.view, watched.looked_at = watched.watcher.look(), self._clock()
            return watched.view


def seconds_between(deployment: Deployment) -> float:
    """Return the seconds between two looks at a job."""
    return NEAR_LOOK_SECONDS if deployment.is_embedded else FAR_LOOK_SECONDS
