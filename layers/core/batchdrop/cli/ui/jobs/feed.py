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


@dataclass(frozen=True, slots=True)
class Texts:
    """What a page shows of a view: the texts of its parts, by name."""

    view: JobView
    parts: dict[str, str]


class SharedTexts:
    """The texts of each job's newest view. They are made once, however many pages show them."""

    def __init__(self) -> None:
        self._newest: dict[str, Texts] = {}
        self._lock = Lock()

    def of(self, view: JobView, make: Callable[[Texts | None], dict[str, str]]) -> dict[str, str]:
        """Return a view's texts. `make` makes them, and may take over some of the view before."""
        with self._lock:
            newest = self._newest.get(view.job_id)
            if newest is None or newest.view is not view:
                newest = self._newest[view.job_id] = Texts(view, make(newest))
            return newest.parts


def seconds_between(deployment: Deployment) -> float:
    """Return the seconds between two looks at a job."""
    return NEAR_LOOK_SECONDS if deployment.is_embedded else FAR_LOOK_SECONDS
