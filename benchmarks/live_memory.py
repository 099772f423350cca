"""Bucket and ledger of the live lane in memory, so that a benchmark measures only the worker."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any

from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned
from batchdrop.live_lane.slice import Slice
from batchdrop.ports import Guard, ObjectMissing

JOB = "bench"


class MemoryStore:
    """The part of an ObjectStore that a worker uses. Flushes are counted, not kept."""

    def __init__(self) -> None:
        self.lines = self.flushes = 0
        self._body = b""

    def lay(self, requests: Iterator[bytes], count: int) -> Slice:
        """Store a create body; return the slice that covers it."""
        self._body = b",\n".join(itertools.islice(requests, count)) + b"\n"
        return Slice(JOB, 0, 0, 0, 0, len(self._body), count)

    def read(self, key: str) -> bytes:
        """Raise ObjectMissing: the job has no manifest."""
        raise ObjectMissing(key)

    def read_range(
        self, _key: str, start: int, end: int, *, etag: str | None = None, version: str | None = None
    ) -> bytes:
        """Return the body."""
        del etag, version
        return self._body[start:end]

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Count a flush."""
        del key, guard
        self.flushes += 1
        self.lines += body.count(b"\n")

    def keys(self, _prefix: str) -> Iterator[str]:
        """Yield nothing: there was no earlier worker."""
        return iter(())

    def stream(
        self, _key: str, *, start: int = 0, etag: str | None = None, version: str | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the body."""
        del etag, version
        yield self._body[start:]

    def __getattr__(self, name: str) -> Any:
        """Raise: a worker needs nothing else."""
        raise AttributeError(name)


class MemoryLedger:
    """A ledger of a job that is never halted."""

    def halted(self, _job_id: str) -> None:
        """Return that the job continues."""

    def __getattr__(self, name: str) -> Any:
        """Raise: a worker needs nothing else."""
        raise AttributeError(name)


class MemoryLeases:
    """Leases without other workers."""

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease."""
        del now
        return Lease(job_id, slice_name, attempt, until, 1)

    def renew(self, lease: Lease, until: datetime, *, done: int, tries: str = "") -> bool:
        """Renew it."""
        del lease, until, done, tries
        return True

    def release(self, lease: Lease, now: datetime, *, done: int, tries: str = "") -> None:
        """Release it."""


class MemoryPermits:
    """Permits of a fleet of one worker."""

    def __init__(self) -> None:
        self._standing: dict[str, Versioned] = {}

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write the state."""
        self._standing[model] = Versioned(state, seen.version + 1)
        return None
