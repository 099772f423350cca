"""Write result lines to the bucket in flushes. Each flush is an object of its own, and is never rewritten."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from batchdrop.job.layout import JobKeys
from batchdrop.live_lane.ports import Offload
from batchdrop.live_lane.slice import Slice
from batchdrop.ports import ObjectStore

# A crash loses at most this many paid lines, and their requests are sent again. A flush is one put ($0.005 a thousand,
# about 30 ms): with 64 lines it costs less than a hundredth of the cheapest answers in it.
FLUSH_LINES = 64
FLUSH_SECONDS = 2.0


class Flushes:
    """Writes the result lines of one attempt to the bucket.

    A flush starts when there are `FLUSH_LINES`, or after `FLUSH_SECONDS`. Only one put runs at a time; new lines wait
    for the next. A put may take long, so a sender checks `has_room` before each request, and waits for `put_ended` if
    there is none. After a failed put, `has_failed` is set: the lines wait for the next put, and a sender should stop.
    """

    def __init__(self, store: ObjectStore, slice_: Slice, attempt: str, *, offload: Offload) -> None:
        self.has_failed = False
        self._store = store
        self._piece = slice_
        self._attempt = attempt
        self._offload = offload
        self._lines: list[bytes] = []
        self._in_put = 0
        self._put_over = asyncio.Event()
        self._number = 0
        self._full = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def has_room(self, opened: int, window: int) -> bool:
        """Return whether one more request may be opened beside the `opened` ones.

        A crash loses the open requests and the lines that are not in the bucket. Together they never exceed `window`
        and FLUSH_LINES.
        """
        return opened + len(self._lines) + self._in_put < window + FLUSH_LINES

    async def put_ended(self) -> None:
        """Wait for the end of a put, successful or not."""
        await self._put_over.wait()

    def add(self, line: bytes) -> None:
        """Add a line to the next flush."""
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self._full.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write the remaining lines. Raises the store's error if the last put fails."""
        self._closing = True
        self._full.set()
        if self._task is not None:
            await self._task
        if self._lines:
            await self._put()

    async def _run(self) -> None:
        while self._lines and not self._closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), FLUSH_SECONDS)
            try:
                await self._put()
            except Exception:  # noqa: BLE001 - any error of the store's SDK; `close` tries once more, and raises
                self.has_failed = True
                break
        self._task = None

    async def _put(self) -> None:
        lines, self._lines = self._lines, []
        self._in_put = len(lines)
        self._full.clear()
        slice_ = self._piece
        key = JobKeys(slice_.job_id).live_flush(slice_.shard, slice_.round, slice_.slice, self._attempt, self._number)
        try:
            await self._offload(self._store.write, key, b"".join(lines))
        except BaseException:
            self._lines = lines + self._lines
            raise
        finally:
            self._in_put = 0
            self._put_over.set()  # wakes the current waiters; later ones wait for the next put
            self._put_over.clear()
        self._number += 1
