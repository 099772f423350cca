"""Message Batches: their life on the emulated clock."""

import asyncio
from array import array
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchdrop.local.claude_api.clock import rfc3339
from batchdrop.local.claude_api.errors import NOT_FOUND, ApiError, invalid
from batchdrop.local.claude_api.storage import LineFile

EXPIRY_SECONDS = 24 * 3600.0  # a Message Batch expires 24 h after its creation
ARCHIVE_SECONDS = 29 * 24 * 3600.0  # results are kept 29 days from its creation
FATES = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True)
class Processed:
    """What processing left: by rank, the place of a request in the order they were done."""

    order: "array[int]"
    """Rank to the request's place in the body."""
    fates: bytes
    """Rank to an index into FATES."""
    results: LineFile
    """One line a rank."""
    charges: LineFile
    """One line for each rank that is charged, ascending."""


@dataclass
class Batch:
    """One Message Batch. All moments are emulated seconds since the epoch."""

    id: str
    number: int
    count: int
    created_at: float
    duration: float
    """Seconds to the natural end; requests are done one by one, evenly, until then."""
    version: str
    folder: Path
    ready: "Future[Processed]" = field(repr=False)
    """Resolves when the answers are written, which may be before or after the emulated end."""
    cancel_at: float | None = None
    cancel_seconds: float = 0.0
    cancel_in_vain: bool = False
    """The cancel call was accepted, yet every request goes on to its end."""
    deleted: bool = False

    @property
    def expires_at(self) -> float:
        """When what is not done expires."""
        return self.created_at + EXPIRY_SECONDS

    @property
    def ended_at(self) -> float:
        """When processing ends, as things stand."""
        end = min(self.created_at + self.duration, self.expires_at)
        if self.cancel_at is None or self.cancel_in_vain:
            return end
        return min(end, self.cancel_at + self.cancel_seconds)

    def ended(self, now: float) -> bool:
        """Tell whether processing has ended."""
        return now >= self.ended_at

    def archived(self, now: float) -> bool:
        """Tell whether the results are gone."""
        return now >= self.created_at + ARCHIVE_SECONDS

    def done(self, now: float) -> int:
        """Return how many requests, in rank order, were processed by `now`; the rest wait or were cut off."""
        stop = min(now, self.expires_at)
        if self.cancel_at is not None and not self.cancel_in_vain:
            stop = min(stop, self.cancel_at)
        if stop >= self.created_at + self.duration:
            return self.count
        return int(self.count * (stop - self.created_at) / self.duration)

    def done_at(self, rank: int) -> float:
        """Return when the request of this rank is done if nothing cuts it off."""
        return self.created_at + self.duration * (rank + 1) / self.count

    def cut_fate(self) -> str:
        """Return what becomes of the requests that were not done at the end."""
        return "expired" if self.cancel_at is None or self.cancel_in_vain else "canceled"

    def status(self, now: float) -> str:
        """Return the processing_status."""
        if self.ended(now):
            return "ended"
        return "in_progress" if self.cancel_at is None else "canceling"

    def tally(self, now: float) -> dict[str, int]:
        """Return the request_counts: all zero but `processing` until the end."""
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
        """Wait, if the batch has ended, until its answers are written; real work, not emulated time."""
        if self.ended(now):
            await asyncio.wrap_future(self.ready)

    def view(self, now: float, api_url: str) -> dict[str, Any]:
        """Return the API's MessageBatch; `api_url` is scheme and host of `results_url`."""
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
        """Put a new one on the shelf."""
        self._batches[batch.id] = batch

    def all(self) -> list[Batch]:
        """Return all that ever were, deleted ones too: they stay on the bill."""
        return list(self._batches.values())

    def get(self, batch_id: str) -> Batch:
        """Return one; raises ApiError (404) for an unknown or deleted one."""
        batch = self._batches.get(batch_id)
        if batch is None or batch.deleted:
            raise ApiError(NOT_FOUND, f"Message Batch {batch_id} not found")
        return batch

    def newest_at(self) -> float:
        """Return when the newest batch was created; 0 if there is none."""
        return max((batch.created_at for batch in self._batches.values()), default=0.0)

    def waiting(self, now: float) -> int:
        """Return the requests in processing, over all batches."""
        return sum(batch.count - batch.done(now) for batch in self._batches.values() if not batch.ended(now))

    def page(
        self,
        limit: int,
        after_id: str | None,
        before_id: str | None,
        youngest: float,
    ) -> tuple[list[Batch], bool]:
        """Return a page, newest first, and whether there are more that way; none created after `youngest`."""
        if after_id and before_id:
            msg = "before_id: cannot be given together with after_id"
            raise invalid(msg)
        newest_first = [batch for batch in reversed(self._batches.values()) if not batch.deleted]
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
