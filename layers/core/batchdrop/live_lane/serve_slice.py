"""Serve one message of the live lane's queue: answer its slice, then end the task, or hand the rest back."""

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
    """The ports and settings of the live lane. `api` is built for each slice, because its key may be missing.

    `show` is called with the id of a job that has progressed; it raises nothing.
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
    """How a message ended. In every case the caller deletes it.

    `done`: the task ended with the counts. `handed back`: the same message is in the queue again. `failed`: the task
    ended with `error`. `gone`: the task no longer waits, or another worker has the slice. The answers are kept.
    """

    ending: Ending
    counts: SliceCounts | None = None
    error: str = ""


async def serve_slice(body: str, parts: LiveParts) -> Served:
    """Serve a message whose body is a SliceTask.

    Raises SliceBusy, AwsUnavailable and every other error of the store, the ledger or the queue. SQS then delivers the
    message again.
    """
    task = msgspec.json.decode(body, type=SliceTask)
    try:
        answered = await _answer(task, parts)
    except (AwsUnavailable, SliceBusy):  # transient: SQS delivers the message again
        raise
    except (BatchdropError, ObjectMissing) as error:  # a retry would end in the same way
        cause = str(error) or type(error).__name__
        return await _end_task(parts, Served("failed", error=cause), task.task_token, type(error).__name__, cause)
    if not answered.is_ours:
        return Served("gone", answered.counts)
    if not answered.is_complete:
        await parts.waiting.offload(parts.queue.send, body)
        return Served("handed back", answered.counts)
    return await _end_task(parts, Served("done", answered.counts), task.task_token)


class _Beats:
    """Sends a heartbeat to the task at each beat and, from the second beat on, shows the job's progress."""

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


async def _end_task(parts: LiveParts, served: Served, token: str, error: str = "", cause: str = "") -> Served:
    """End the task. If it is gone, that is not a fault of the worker, and the answers are kept."""
    try:
        if error:
            await parts.waiting.offload(parts.tokens.fail, token, error, cause)
        else:
            await parts.waiting.offload(parts.tokens.succeed, token, msgspec.json.encode(served.counts))
    except TaskGone:
        return Served("gone", served.counts, served.error)
    return served
