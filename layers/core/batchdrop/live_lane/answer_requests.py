"""Answer one slice of a shard through the Messages API, by one worker at a time.

A worker sends the requests of a slice only while it holds the slice's lease. It first reads which requests have a line
in the bucket. So no answered request is sent again after a duplicate message, a retry or a hand-back.

Two cases can be paid twice. The Messages API has no idempotency key and no list of its answers. So if a response is
lost (timeout, dropped connection), its request may have been billed, and nobody can find out. It is sent once more,
because its row is worth more than one request (`tries.py`). If that is lost too, the row is `uncertain`, and no later
round sends it. An answer that is not a message is not sent again at all: its row is `unreadable`. The result line
counts the tries that may be billed. A worker that is killed loses its open requests and its unflushed lines: together
at most its window and FLUSH_LINES.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from batchdrop.errors import AccountTrouble, InvariantBroken, JobCanceled, SliceBusy, SliceGivenUp
from batchdrop.job.betas import betas_of
from batchdrop.job.cache_mark import read_mark
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger, TaskGone
from batchdrop.job.submission import Halt
from batchdrop.live_lane.answer_flushes import Flushes
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.ports import Leases, MessageApi, Offload
from batchdrop.live_lane.slice import Slice, SliceCounts
from batchdrop.live_lane.slice_requests import Flushed, LiveRequest, flushed, requests_of
from batchdrop.live_lane.slice_sender import LEASE_MARGIN, OPENING_RESERVE, TIME_OVER, SliceSender
from batchdrop.live_lane.tries import as_text, from_text
from batchdrop.ports import Clock, ObjectStore

LEASE_SECONDS = 60.0  # then a crashed worker's slice is free; SQS delivers its message again much later
BEAT_SECONDS = 15.0  # between renewals of the lease: three may fail
HALTS = {AccountTrouble.__name__, JobCanceled.__name__}  # not BudgetReached: it stops only later rounds
TICK_SECONDS = 1.0  # between two checks of the time


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a worker waits, and runs blocking calls. Tests replace it."""

    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    offload: Offload = asyncio.to_thread
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Answered:
    """The state of a slice when its worker ends.

    `is_complete`: nothing is left to do, because each request has a line, its time is over or the job is halted.
    Otherwise the rest must be handed back, but not if `is_ours` is False: another worker has the slice, or its task is
    gone.
    """

    counts: SliceCounts
    is_complete: bool
    is_ours: bool


@dataclass(slots=True)
class _Work:
    """One worker's slice, with its lease and the ports that it needs."""

    slice_: Slice
    lease: Lease
    ledger: Ledger
    leases: Leases
    clock: Clock
    beat: Callable[[], None]
    waiting: Waiting
    known: Flushed = field(default_factory=Flushed)


async def answer_requests(
    slice_: Slice,
    *,
    store: ObjectStore,
    ledger: Ledger,
    leases: Leases,
    api: MessageApi,
    permits: FleetPermits,
    clock: Clock,
    window: int,
    beat: Callable[[], None] = lambda: None,
    waiting: Waiting = Waiting(),
) -> Answered:
    """Send the requests that have no line yet, `window` at a time; write the lines in flushes.

    Near the end of the invocation no more requests are sent, and the rest must be handed back. AccountTrouble halts the
    job. The other requests of a halted job are not sent. `beat` is called at the start, then every BEAT_SECONDS, once
    the ledger has the slice's progress. It may raise TaskGone.

    Raises SliceBusy if another worker holds the slice, SliceGivenUp if it had too many workers, ObjectMissing if
    the create body is missing, InvariantBroken if the invocation is too short, and the errors of the store.
    """
    if clock.remaining() < OPENING_RESERVE:
        message = f"{clock.remaining():.0f} s are too short to send a request; give the function a longer Timeout"
        raise InvariantBroken(message)
    attempt, now = uuid4().hex[:12], clock.now()
    until = now + timedelta(seconds=LEASE_SECONDS)
    lease: Lease = await waiting.offload(leases.take, slice_.job_id, slice_.name, attempt, now=now, until=until)
    if lease.attempt != attempt:
        message = (
            f"slice {slice_.name} of job {slice_.job_id} is held by another worker until {lease.until:%H:%M:%S} UTC"
        )
        raise SliceBusy(message)
    if lease.is_exhausted:
        raise SliceGivenUp(_given_up(lease))
    work = _Work(slice_, lease, ledger, leases, clock, beat, waiting)
    flushes = Flushes(store, slice_, attempt, offload=waiting.offload)
    sender = SliceSender(
        flushes,
        api=api,
        permits=permits,
        clock=clock,
        held_until=until,
        until=slice_.until,
        pause=waiting.pause,
        jitter=waiting.jitter,
    )
    sender.tries = from_text(lease.tries)
    try:
        sender.betas = slice_.betas or ()
        if slice_.betas is None:
            sender.betas = await waiting.offload(betas_of, store, slice_.job_id)
        work.known = await waiting.offload(flushed, store, slice_)
        body: bytes = await waiting.offload(
            store.read_range, JobKeys(slice_.job_id).requests(slice_.shard, slice_.round), slice_.start, slice_.end
        )
        if slice_.marks == "live":
            mark = await waiting.offload(read_mark, slice_.job_id, store)
            body = mark.applied(body) if mark else body
        await _send(work, sender, _unanswered(body, work.known, sender), window)
    finally:
        try:
            await flushes.close()
        finally:
            if sender.stopped != "lease":
                await _release(work, sender)
    return _answered(work, sender)


def _given_up(lease: Lease) -> str:
    return (
        f"slice {lease.slice_name} of job {lease.job_id} had {lease.turn - 1} workers, of which {lease.crashes} "
        "ended before they could release it; its other requests are left to the next round"
    )


def _unanswered(body: bytes, known: Flushed, sender: SliceSender) -> list[LiveRequest]:
    """Return the requests without a line. The sender learns from the others how long answers take."""
    left = []
    for request in requests_of(body):
        if request.custom_id not in known.verdicts:
            left.append(request)
            continue
        sender.tries.pop(request.custom_id, None)
        if request.custom_id in known.seconds:
            sender.expected.learn(request.max_tokens, known.seconds[request.custom_id])
    return left


async def _release(work: _Work, sender: SliceSender) -> None:
    await work.waiting.offload(
        work.leases.release,
        work.lease,
        work.clock.now() - LEASE_MARGIN,
        done=_done(work, sender),
        tries=as_text(sender.tries),
    )


async def _send(work: _Work, sender: SliceSender, requests: list[LiveRequest], window: int) -> None:
    """Send the requests, and meanwhile watch the lease, the job and the time.

    SQS may deliver a message again after its round was collected and its rows were answered in a later round. The
    flushes of its own round do not show that. So no request is sent before the task confirms that it still waits.
    """
    await _check_task(work, sender)
    await _check_halt(work, sender)
    watch = asyncio.ensure_future(_watch(work, sender))
    try:
        await sender.send_all(iter(requests), window=min(window, work.slice_.requests))
    finally:
        watch.cancel()
        [watched] = await asyncio.gather(watch, return_exceptions=True)
    if sender.trouble is not None:
        halt = Halt(AccountTrouble.__name__, str(sender.trouble), work.clock.now())
        await work.waiting.offload(work.ledger.halt, work.slice_.job_id, halt)
    if isinstance(watched, Exception):
        raise watched


async def _watch(work: _Work, sender: SliceSender) -> None:
    """Renew the lease until the last open request has ended, and stop the sender when it must stop.

    An error of the ledger also stops the sender, and is raised.
    """
    seconds = 0.0
    try:
        while sender.stopped != "lease":
            await work.waiting.pause(TICK_SECONDS)
            sender.look_at_the_time()
            seconds += TICK_SECONDS
            if seconds >= BEAT_SECONDS:
                seconds = 0.0
                await _beat(work, sender)
    except Exception:
        sender.stop("error")
        raise


async def _beat(work: _Work, sender: SliceSender) -> None:
    until = work.clock.now() + timedelta(seconds=LEASE_SECONDS)
    done, tries = _done(work, sender), as_text(sender.tries)
    if not await work.waiting.offload(work.leases.renew, work.lease, until, done=done, tries=tries):
        sender.stop("lease")
        return
    sender.hold(until)
    await _check_halt(work, sender)
    await _check_task(work, sender)


def _done(work: _Work, sender: SliceSender) -> int:
    """Return how many requests no later round sends again."""
    return work.known.finished + sender.lines.finished


async def _check_task(work: _Work, sender: SliceSender) -> None:
    try:
        await work.waiting.offload(work.beat)
    except TaskGone:
        sender.stop("gone")


async def _check_halt(work: _Work, sender: SliceSender) -> None:
    halt: Halt | None = await work.waiting.offload(work.ledger.halted, work.slice_.job_id)
    if halt is not None and halt.error in HALTS:
        sender.stop(halt.error)


def _answered(work: _Work, sender: SliceSender) -> Answered:
    answered = sender.lines.answered + work.known.answered
    errored = sender.lines.errored + work.known.errored
    left = work.slice_.requests - answered - errored
    is_halted = sender.stopped in {*HALTS, TIME_OVER}
    counts = SliceCounts(
        requests=work.slice_.requests,
        answered=answered,
        errored=errored,
        left=left,
        asked=sender.sent,
        uncertain=sender.uncertain,
        handed_back=work.lease.turn - 1,
        stopped=sender.stopped if is_halted else "",
        throttled=sender.throttled,
    )
    return Answered(counts, is_complete=left == 0 or is_halted, is_ours=sender.stopped not in {"lease", "gone"})
