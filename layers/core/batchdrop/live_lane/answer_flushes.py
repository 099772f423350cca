"""Result lines on their way to the bucket: each flush is an object of its own, and nothing is ever rewritten."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress

import msgspec

from batchdrop.answers.result_line import ResultId
from batchdrop.job.layout import JobKeys
from batchdrop.job.stored_lines import whole_lines
from batchdrop.live_lane.ports import Offload
from batchdrop.live_lane.slice import Slice
from batchdrop.ports import ObjectStore

# What a crash between an answer and its flush costs at most: so many lines are paid, lost, and asked again. A flush is
# one put ($0.005 a thousand, some 30 ms): at 64 lines it costs less than a hundredth of the cheapest answers in it.
FLUSH_LINES = 64
FLUSH_SECONDS = 2.0


class Flushes:
    """Writes one attempt's lines in objects of `FLUSH_LINES` or more, none older than `FLUSH_SECONDS` plus one put.

    One put is under way at a time; what comes meanwhile waits for the next. A put may take long, so whoever pays for
    lines asks `has_room` before, and waits for `put_ended` if there is none. `has_failed` tells that a put failed: its
    lines are kept for the next one, but whoever pays for more lines should stop.
    """

    def __init__(self, store: ObjectStore, piece: Slice, attempt: str, *, offload: Offload) -> None:
        self.has_failed = False
        self._store = store
        self._piece = piece
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
        """Tell whether one more request may be opened beside `opened` ones, of `window` at most.

        Open requests and lines that are not in the bucket are what a crash costs: `window` and FLUSH_LINES, together.
        """
        return opened + len(self._lines) + self._in_put < window + FLUSH_LINES

    async def put_ended(self) -> None:
        """Wait for the end of a put, good or bad."""
        await self._put_over.wait()

    def add(self, line: bytes) -> None:
        """Take a line."""
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self._full.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what is left. Raises what the store raised, if the last put failed."""
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
            except Exception:  # noqa: BLE001 - whatever the store's SDK raises; `close` tries once more, and raises
                self.has_failed = True
                break
        self._task = None

    async def _put(self) -> None:
        lines, self._lines = self._lines, []
        self._in_put = len(lines)
        self._full.clear()
        piece = self._piece
        key = JobKeys(piece.job_id).live_flush(piece.shard, piece.round, piece.slice, self._attempt, self._number)
        try:
            await self._offload(self._store.write, key, b"".join(lines))
        except BaseException:
            self._lines = lines + self._lines
            raise
        finally:
            self._in_put = 0
            self._put_over.set()  # wakes those who wait now; those who come later wait for the next
            self._put_over.clear()
        self._number += 1


def flushed(store: ObjectStore, piece: Slice) -> dict[str, bool]:
    """Return the custom_ids that have a line in the bucket, whoever wrote it, and whether it is an answer."""
    found: dict[str, bool] = {}
    ids = msgspec.json.Decoder(ResultId)
    for key in store.keys(JobKeys(piece.job_id).live_answers(piece.shard, piece.round, piece.slice)):
        with closing(store.stream(key)) as blocks:
            for line in whole_lines(blocks):
                known = ids.decode(line)
                found[known.custom_id] = found.get(known.custom_id, False) or known.is_answer
    return found
