"""The ports of the live lane, as Protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned
from batchdrop.live_lane.reply import Reply


class MessageApi(Protocol):
    """The Messages API: one request at a time, many of them open at once."""

    async def send(
        self, params: bytes, *, within: float, is_streamed: bool = False, betas: tuple[str, ...] = ()
    ) -> Reply:
        """Send one request once, with the bytes of `params`; wait at most `within` seconds for the whole answer.

        `is_streamed` receives the answer in pieces, so that its connection does not idle. The Answer is the same.
        `betas` are sent as a header.
        Raises AccountTrouble; every other outcome is a Reply.
        """


class Leases(Protocol):
    """The leases of slices in the ledger: one worker at a time may send a slice's requests."""

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free: never taken, released, or expired.

        Returns the current lease. The caller may send only if its `attempt` is the caller's.
        """

    def renew(self, lease: Lease, until: datetime, *, done: int, tries: str = "") -> bool:
        """Renew a lease; return False if another attempt holds it.

        `done` requests of the slice are finished. `tries` are those of the others, for the next attempt.
        """

    def release(self, lease: Lease, now: datetime, *, done: int, tries: str = "") -> None:
        """Release a lease, so that the next attempt need not wait. No effect if another attempt holds it."""


class Permits(Protocol):
    """The rate of the live lane, shared by all workers of all jobs: one versioned PermitState per model."""

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write `state` as the next version if the current one is still `seen` (`UNSEEN`: there is none yet).

        Returns None if it was written, else the state that another worker wrote meanwhile.
        """


class Queue(Protocol):
    """The live lane's queue."""

    def send(self, body: str) -> None:
        """Put a message into the queue."""


Offload = Callable[..., Awaitable[Any]]
"""Runs a blocking call in a thread, as `asyncio.to_thread` does."""
