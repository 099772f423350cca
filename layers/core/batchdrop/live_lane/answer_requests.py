"""Answer one slice of a shard through the Messages API: the live lane's work, done by one worker at a time.

What is paid twice, and what is not: a slice is asked only under a lease, and a worker first reads which of its requests
have a line in the bucket, so a message delivered twice, a retry or a hand-back asks nothing again. The API has no
idempotency key, though, and no list of what it answered: a request whose answer was lost (timeout, dropped connection,
a body cut short) may have been billed, and nobody can find out. It is asked again, because its row is worth more than
the price of one request, and counted in `uncertain`, so that the bill's surplus has a reason. A worker that is killed
loses what is open and what is not flushed yet: at most its window and FLUSH_LINES, together.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from batchdrop.errors import AccountTrouble, InvariantBroken, JobCanceled, SliceBusy
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger, TaskGone
from batchdrop.job.submission import Halt
from batchdrop.live_lane.answer_flushes import Flushes, flushed
from batchdrop.live_lane.fleet_permits import FleetPermits
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.ports import Leases, MessageApi, Offload
from batchdrop.live_lane.slice import Slice, SliceCounts
from batchdrop.live_lane.slice_sender import LEASE_MARGIN, OPENING_RESERVE, SliceSender
from batchdrop.ports import Clock, ObjectStore
from batchdrop.requests.stored_request import StoredRequest, stored_request

LEASE_SECONDS = 60.0  # a crashed worker's slice is free after so long; SQS shows its message again much later
BEAT_SECONDS = 15.0  # between renewals of the lease: three may fail
HALTS = {AccountTrouble.__name__, JobCanceled.__name__}  # a budget that is reached stops what begins after it
TICK_SECONDS = 1.0  # between two looks at the time


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a use case waits and blocks, so that tests can own it."""

    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    offload: Offload = asyncio.to_thread
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Answered:
    """What a worker leaves behind.

    `is_complete`: nothing is left to do for anybody, because each request has a line or the job is halted. Else the
    rest is to be handed back, unless another worker (`is_ours` False) or nobody (the task is gone) cares.
    """

    counts: SliceCounts
    is_complete: bool
    is_ours: bool


@dataclass(slots=True)
class _Work:
    """One worker's hold on a slice."""

    piece: Slice
    lease: Lease
    ledger: Ledger
    leases: Leases
    clock: Clock
    beat: Callable[[], None]
    waiting: Waiting
    known: dict[str, bool] = field(default_factory=dict)


async def answer_requests(
    piece: Slice,
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
    """Ask what has no line yet, `window` requests at a time; write the lines in flushes.

    Near the invocation's end no more are opened, and the rest is to be handed back. Account trouble halts the job; a
    halted job's requests are left. `beat` is called at the start, then every BEAT_SECONDS, and may raise TaskGone;
    by then the ledger knows how far the slice is.
    Raises SliceBusy while another worker asks the slice, ObjectMissing if there is no create body, InvariantBroken for
    an invocation that is over before it began, and what the store raises.
    """
    if clock.remaining() < OPENING_RESERVE:
        message = f"an invocation of {clock.remaining():.0f} s has no time to ask; the function needs a longer Timeout"
        raise InvariantBroken(message)
    attempt, now = uuid4().hex[:12], clock.now()
    until = now + timedelta(seconds=LEASE_SECONDS)
    lease: Lease = await waiting.offload(leases.take, piece.job_id, piece.name, attempt, now=now, until=until)
    if lease.attempt != attempt:
        message = (
            f"slice {piece.name} of job {piece.job_id} is asked by another worker until {lease.until:%H:%M:%S} UTC"
        )
        raise SliceBusy(message)
    work = _Work(piece, lease, ledger, leases, clock, beat, waiting)
    flushes = Flushes(store, piece, attempt, offload=waiting.offload)
    sender = SliceSender(
        flushes,
        api=api,
        permits=permits,
        clock=clock,
        held_until=until,
        pause=waiting.pause,
        jitter=waiting.jitter,
    )
    try:
        work.known = await waiting.offload(flushed, store, piece)
        body: bytes = await waiting.offload(
            store.read_range, JobKeys(piece.job_id).requests(piece.shard, piece.round), piece.start, piece.end
        )
        await _send(work, sender, _unanswered(body, work.known), window)
    finally:
        try:
            await flushes.close()
        finally:
            if sender.stopped != "lease":
                await waiting.offload(leases.release, lease, clock.now() - LEASE_MARGIN, done=_done(work, sender))
    return _answered(work, sender)


def _unanswered(body: bytes, known: dict[str, bool]) -> Iterator[StoredRequest]:
    start = 0
    while start < len(body):
        end = body.find(b"\n", start)
        end = len(body) if end < 0 else end
        request = stored_request(body[start:end])
        if request is not None and request.custom_id not in known:
            yield request
        start = end + 1


async def _send(work: _Work, sender: SliceSender, requests: Iterator[StoredRequest], window: int) -> None:
    """Run the window, and beside it the watch over lease, job and time.

    A message that SQS delivers once more may come when its round was collected and its rows were answered in a later
    one; the flushes of its own round do not tell. So nothing is asked before the task says that it still waits.
    """
    await _check_task(work, sender)
    await _check_halt(work, sender)
    watch = asyncio.ensure_future(_watch(work, sender))
    try:
        await sender.send_all(requests, window=min(window, work.piece.requests))
    finally:
        watch.cancel()
        [end] = await asyncio.gather(watch, return_exceptions=True)
    if sender.trouble is not None:
        halt = Halt(AccountTrouble.__name__, str(sender.trouble), work.clock.now())
        await work.waiting.offload(work.ledger.halt, work.piece.job_id, halt)
    if isinstance(end, Exception):
        raise end


async def _watch(work: _Work, sender: SliceSender) -> None:
    """Keep the lease until the last open request is over, and tell the sender when to stop.

    What the ledger raises stops it, too, and is raised.
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
    if not await work.waiting.offload(work.leases.renew, work.lease, until, done=_done(work, sender)):
        sender.stop("lease")
        return
    sender.hold(until)
    await _check_halt(work, sender)
    await _check_task(work, sender)


def _done(work: _Work, sender: SliceSender) -> int:
    return len(work.known) + sender.answered + sender.errored


async def _check_task(work: _Work, sender: SliceSender) -> None:
    try:
        await work.waiting.offload(work.beat)
    except TaskGone:
        sender.stop("gone")


async def _check_halt(work: _Work, sender: SliceSender) -> None:
    halt: Halt | None = await work.waiting.offload(work.ledger.halted, work.piece.job_id)
    if halt is not None and halt.error in HALTS:
        sender.stop(halt.error)


def _answered(work: _Work, sender: SliceSender) -> Answered:
    answered = sender.answered + sum(work.known.values())
    errored = sender.errored + len(work.known) - sum(work.known.values())
    left = work.piece.requests - answered - errored
    is_halted = sender.stopped in HALTS
    counts = SliceCounts(
        requests=work.piece.requests,
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
