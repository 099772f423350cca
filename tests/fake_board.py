"""The in-memory stand-in for the ProgressBoard."""

from __future__ import annotations

from datetime import datetime, timedelta

from batchdrop.domain.job_progress import ShardProgress


class FakeProgressBoard:
    """Progress in dictionaries. `broken` is raised by every call while it is set."""

    def __init__(self) -> None:
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
        return [progress for key, progress in sorted(self._noted.items()) if key[0] == job_id]

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
