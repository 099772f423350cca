"""The in-memory stand-in for the ProgressBoard."""

from __future__ import annotations

from datetime import datetime, timedelta

from batchdrop.job.job_progress import ShardProgress
from batchdrop.live_lane.slice import names_of_round
from tests.live_fakes import FakeLeases


class FakeProgressBoard:
    """Progress in dictionaries. `broken` is raised by every call while it is set; `leases` are the live lane's."""

    def __init__(self, leases: FakeLeases | None = None) -> None:
        self._leases = leases or FakeLeases()
        self.broken: Exception | None = None
        self._noted: dict[tuple[str, int], ShardProgress] = {}
        self._drawn: dict[str, datetime] = {}

    def note(self, job_id: str, progress: ShardProgress) -> None:
        """Keep the latest."""
        self._break()
        standing = self._noted.get((job_id, progress.shard))
        if standing is None or standing.at <= progress.at:
            self._noted[job_id, progress.shard] = progress

    def noted(self, job_id: str) -> list[ShardProgress]:
        """Return what was noted, by shard."""
        self._break()
        noted = [progress for key, progress in sorted(self._noted.items()) if key[0] == job_id]
        return [one.less(self._done(job_id, one)) if one.is_live else one for one in noted]

    def _done(self, job_id: str, progress: ShardProgress) -> int:
        return self._leases.done(job_id, names_of_round(progress.shard, progress.round))

    def take_turn(self, job_id: str, now: datetime, every: timedelta) -> bool:
        """Tell whether nobody had the turn within `every`."""
        self._break()
        last = self._drawn.get(job_id)
        if last is not None and last > now - every:
            return False
        self._drawn[job_id] = now
        return True

    def _break(self) -> None:
        if self.broken:
            raise self.broken
