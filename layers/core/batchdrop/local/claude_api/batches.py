"""Message Batches and their life on the emulated clock."""

import asyncio
from array import array
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchdrop.local.claude_api.auth import DEFAULT_WORKSPACE
from batchdrop.local.claude_api.clock import rfc3339
from batchdrop.local.claude_api.errors import NOT_FOUND, ApiError, invalid
from batchdrop.local.claude_api.storage import LineFile

EXPIRY_SECONDS = 24 * 3600.0  # a Message Batch expires 24 h after its creation
ARCHIVE_SECONDS = 29 * 24 * 3600.0  # results are kept 29 days from its creation
FATES = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True)
class Processed:
    """The result of processing, by rank: the position of a request in the order of processing."""

    order: "array[int]"
    """From rank to the request's place in the body."""
    fates: bytes
    """From rank to an index into FATES."""
    results: LineFile
    """One line per rank."""
    charges: LineFile
    """One line per charged rank, in ascending order."""


@dataclass
class Batch:
    """One Message Batch. All times are emulated seconds since the epoch."""

    id: str
    number: int
    count: int
    created_at: float
    duration: float
    """Seconds to the natural end; requests are processed one by one, evenly, until then."""
    version: str
    betas: frozenset[str]
    folder: Path
    ready: "Future[Processed]" = field(repr=False)
    """Set when the answers are written, which may be before or after the emulated end."""
    cancel_at: float | None = None
    cancel_seconds: float = 0.0
    cancel_in_vain: bool = False
    """The cancel call was accepted, but every request is still processed."""
    deleted: bool = False
    workspace: str = DEFAULT_WORKSPACE
    """Only its keys see the Message Batch."""

    @property
    def expires_at(self) -> float:
        """Return when unprocessed requests expire."""
        return self.created_at + EXPIRY_SECONDS

    @property
    def ended_at(self) -> float:
        """Return when processing ends, unless a cancel changes it."""
        end = min(self.created_at + self.duration, self.expires_at)
        if self.cancel_at is None or self.cancel_in_vain:
            return end
        return min(end, self.cancel_at + self.cancel_seconds)

    def ended(self, now: float) -> bool:
        """Return whether processing has ended."""
        return now >= self.ended_at

    def archived(self, now: float) -> bool:
        """Return whether the results are no longer available."""
        return now >= self.created_at + ARCHIVE_SECONDS

    def done(self, now: float) -> int:
        """Return how many requests, by rank, were processed by `now`; the others wait or were cut off."""
        stop = min(now, self.expires_at)
        if self.cancel_at is not None and not self.cancel_in_vain:
            stop = min(stop, self.cancel_at)
        if stop >= self.created_at + self.duration:
            return self.count
        return int(self.count * (stop - self.created_at) / self.duration)

    def done_at(self, rank: int) -> float:
        """Return when the request of this rank is processed, unless it is cut off."""
        return self.created_at + self.duration * (rank + 1) / self.count

    def cut_fate(self) -> str:
        """Return the fate of the requests that were not processed at the end."""
        return "expired" if self.cancel_at is None or self.cancel_in_vain else "canceled"

    def status(self, now: float) -> str:
        """Return the processing_status."""
        if self.ended(now):
            return "ended"
        return "in_progress" if self.cancel_at is None else "canceling"

    def tally(self, now: float) -> dict[str, int]:
        """Return the request_counts; until the end, all are in `processing`."""
        counts = {"processing": 0, **dict.fromkeys(FATES, 0)}
        if not self.ended(now):
            return {**counts, "processing": self.count}
        done = self.done(now)
        fates = self.ready.result().fates[:done]
        for index, name in enumerate(FATES):
            counts[name] = fates.count(index)
        counts[self.cut_fate()] += self.count - done
        return counts

    async def settled(self, now: float) -> None:
        """Wait until the answers are written, if the batch has ended; this takes real time, not emulated time."""
        if self.ended(now):
            await asyncio.wrap_future(self.ready)

    def view(self, now: float, api_url: str) -> dict[str, Any]:
        """Return the API's MessageBatch; `api_url` is the scheme and host of `results_url`."""
        ended = self.ended(now)
        has_results = ended and not self.archived(now)
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status(now),
            "request_counts": self.tally(now),
            "created_at": rfc3339(self.created_at),
            "ended_at": rfc3339(self.ended_at) if ended else None,
            "expires_at": rfc3339(self.expires_at),
            "cancel_initiated_at": None if self.cancel_at is None else rfc3339(self.cancel_at),
            "archived_at": rfc3339(self.created_at + ARCHIVE_SECONDS) if self.archived(now) else None,
            "results_url": f"{api_url}/v1/messages/batches/{self.id}/results" if has_results else None,
        }


class BatchShelf:
    """All Message Batches of the workspace, oldest first."""

    def __init__(self) -> None:
        """Start empty."""
        self._batches: dict[str, Batch] = {}

    def add(self, batch: Batch) -> None:
        """Add a new Message Batch."""
        self._batches[batch.id] = batch

    def all(self) -> list[Batch]:
        """Return all of them, even deleted ones: they stay on the bill."""
        return list(self._batches.values())

    def get(self, batch_id: str, workspace: str = DEFAULT_WORKSPACE) -> Batch:
        """Return one; raises ApiError (404) for unknown and deleted ones, and those of another workspace."""
        batch = self._batches.get(batch_id)
        if batch is None or batch.deleted or batch.workspace != workspace:
            raise ApiError(NOT_FOUND, f"Message Batch {batch_id} not found")
        return batch

    def newest_at(self) -> float:
        """Return when the newest one was created; 0 if there is none."""
        return max((batch.created_at for batch in self._batches.values()), default=0.0)

    def waiting(self, now: float) -> int:
        """Return the number of requests in processing, over all batches."""
        return sum(batch.count - batch.done(now) for batch in self._batches.values() if not batch.ended(now))

    def page(
        self,
        limit: int,
        after_id: str | None,
        before_id: str | None,
        youngest: float,
        workspace: str = DEFAULT_WORKSPACE,
    ) -> tuple[list[Batch], bool]:
        """Return a page, newest first, and whether more follow; without batches created after `youngest`."""
        if after_id and before_id:
            msg = "before_id: cannot be given together with after_id"
            raise invalid(msg)
        newest_first = [batch for batch in reversed(self._batches.values()) if not batch.deleted]
        newest_first = [batch for batch in newest_first if batch.workspace == workspace]
        newest_first = [batch for batch in newest_first if batch.created_at <= youngest]
        if before_id:
            newer = newest_first[: self._place(newest_first, "before_id", before_id)]
            return newer[-limit:], len(newer) > limit
        if after_id:
            newest_first = newest_first[self._place(newest_first, "after_id", after_id) + 1 :]
        return newest_first[:limit], len(newest_first) > limit

    @staticmethod
    def _place(batches: list[Batch], name: str, cursor: str) -> int:
        for place, batch in enumerate(batches):
            if batch.id == cursor:
                return place
        raise invalid(f"{name}: no such Message Batch: {cursor}")
