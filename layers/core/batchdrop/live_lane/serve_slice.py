"""Serve one message of the live lane's queue: answer its slice, then tell the task, or hand the rest back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from batchdrop.errors import AwsUnavailable, BatchdropError, SliceBusy
from batchdrop.job.halting import halting_on_account_trouble
from batchdrop.job.ports import Ledger, TaskGone, TaskTokens
from batchdrop.live_lane.answer_requests import Answered, Waiting, answer_requests
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.ports import Leases, MessageApi, Permits, Queue
from batchdrop.live_lane.slice import SliceCounts, SliceTask
from batchdrop.ports import Clock, ObjectMissing, ObjectStore

Ending = Literal["done", "handed back", "failed", "gone"]


@dataclass(frozen=True, slots=True)
class LiveParts:
    """All that the live lane needs of the world. `api` is built for each slice, for it may find no key.

    `show` is told, now and then, which job there is news of; it raises nothing.
    """

    store: ObjectStore
    ledger: Ledger
    leases: Leases
    permits: Permits
    tokens: TaskTokens
    queue: Queue
    clock: Clock
    api: Callable[[], MessageApi]
    window: int
    share: float
    show: Callable[[str], None] = lambda _job_id: None
    waiting: Waiting = field(default_factory=Waiting)


@dataclass(frozen=True, slots=True)
class Served:
    """How a message ended. In every case it is to be deleted.

    `done`: the task was told the counts. `handed back`: the same message is in the queue again. `failed`: the task was
    told `error`. `gone`: nobody waits for the slice, or another worker asks it; the answers are in the bucket.
    """

    ending: Ending
    counts: SliceCounts | None = None
    error: str = ""


async def serve_slice(body: str, parts: LiveParts) -> Served:
    """Serve a message whose body is a SliceTask.

    Raises SliceBusy, AwsUnavailable and every other error of the store, the ledger or the queue: the message then comes
    again.
    """
    task = msgspec.json.decode(body, type=SliceTask)
    try:
        answered = await _answer(task, parts)
    except (AwsUnavailable, SliceBusy):  # they pass: the message comes again
        raise
    except (BatchdropError, ObjectMissing) as error:  # asking again would end the same way
        cause = str(error) or type(error).__name__
        return await _tell(parts, Served("failed", error=cause), task.task_token, type(error).__name__, cause)
    if not answered.is_ours:
        return Served("gone", answered.counts)
    if not answered.is_complete:
        await parts.waiting.offload(parts.queue.send, body)
        return Served("handed back", answered.counts)
    return await _tell(parts, Served("done", answered.counts), task.task_token)


class _Beats:
    """What a worker does at each beat: tell the task that it lives and, from the second on, of news of its job."""

    def __init__(self, task: SliceTask, parts: LiveParts) -> None:
        self._task = task
        self._parts = parts
        self._is_first = True

    def __call__(self) -> None:
        self._parts.tokens.heartbeat(self._task.task_token)
        if not self._is_first:
            self._parts.show(self._task.slice.job_id)
        self._is_first = False


async def _answer(task: SliceTask, parts: LiveParts) -> Answered:
    with halting_on_account_trouble(task.slice.job_id, parts.ledger, parts.clock):
        api = parts.api()
    waiting = parts.waiting
    permits = FleetPermits(
        parts.permits,
        clock=parts.clock,
        share=parts.share,
        pause=waiting.pause,
        offload=waiting.offload,
        jitter=waiting.jitter,
    )
    try:
        return await answer_requests(
            task.slice,
            store=parts.store,
            ledger=parts.ledger,
            leases=parts.leases,
            api=api,
            permits=permits,
            clock=parts.clock,
            window=parts.window,
            beat=_Beats(task, parts),
            waiting=waiting,
        )
    finally:
        await permits.close()


async def _tell(parts: LiveParts, served: Served, token: str, error: str = "", cause: str = "") -> Served:
    """Tell the task; one that is gone is no fault of the worker's, and its answers are kept."""
    try:
        if error:
            await parts.waiting.offload(parts.tokens.fail, token, error, cause)
        else:
            await parts.waiting.offload(parts.tokens.succeed, token, msgspec.json.encode(served.counts))
    except TaskGone:
        return Served("gone", served.counts, served.error)
    return served
