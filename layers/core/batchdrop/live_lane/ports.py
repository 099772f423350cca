"""What the live lane needs from the world, as Protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned
from batchdrop.live_lane.reply import Reply


class MessageApi(Protocol):
    """The Messages API: one request at a time, many of them open at once."""

    async def send(self, params: bytes, *, within: float) -> Reply:
        """Send one request, `params` to the byte, exactly once; wait at most `within` seconds for its whole answer.

        Raises AccountTrouble; every other outcome is a Reply.
        """


class Leases(Protocol):
    """Who may ask a slice: one worker at a time, in the ledger."""

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free: never taken, let go, or past its `until`.

        Returns the lease as it stands now; only if its `attempt` is the caller's own may it ask.
        """

    def renew(self, lease: Lease, until: datetime, *, done: int) -> bool:
        """Move a lease on; False if another attempt has it now. `done` requests of the slice have their result line."""

    def release(self, lease: Lease, now: datetime, *, done: int) -> None:
        """Let go of a lease, so that the next attempt need not wait. Changes nothing if another one has it."""


class Permits(Protocol):
    """The live lane's rate, shared by all workers of all jobs: one PermitState a model, changed by comparing."""

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write `state`, one version on, if the model's is still the one that was seen (`UNSEEN`: none is there yet).

        Returns None when it is written; else what another worker has written meanwhile.
        """


class Queue(Protocol):
    """The live lane's queue."""

    def send(self, body: str) -> None:
        """Put a message into the queue."""


Offload = Callable[..., Awaitable[Any]]
"""Runs a blocking call in a thread, as `asyncio.to_thread` does."""
