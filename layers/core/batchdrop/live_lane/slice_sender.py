"""Send the requests of a slice. A window of them is open at once; the next is sent when one is answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

import msgspec

from batchdrop.answers.odd_records import odd_usage
from batchdrop.answers.result import Usage
from batchdrop.answers.result_line import errored_line, succeeded_line, unreadable_line, usage_of
from batchdrop.errors import AccountTrouble
from batchdrop.live_lane.answer_flushes import Flushes
from batchdrop.live_lane.fleet_permits import FleetPermits, ModelPermits
from batchdrop.live_lane.lost_tries import LostTries
from batchdrop.live_lane.permits import Need
from batchdrop.live_lane.ports import MessageApi
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled
from batchdrop.ports import Clock
from batchdrop.requests.stored_request import StoredRequest

REQUEST_SECONDS = 600.0  # the API's own limit for an answer that is not streamed
OPENING_RESERVE = 120.0  # seconds of the invocation kept for open requests: long answers take a minute or two
FLUSH_RESERVE = 20.0  # … of which for the last flush and for ending the task; open requests then time out
LEASE_MARGIN = timedelta(seconds=5)  # the largest difference between the clocks of two workers
MOST_FAILURES = 4  # transient failures of one request; then it is a leftover for the next round
MOST_REFUSALS = 12  # 429 and 529 cost nothing, and the permits make all workers wait
BACKOFF_SECONDS = 0.5  # the longest wait after the first failure is twice this; it doubles with each failure
MOST_BACKOFF = 8.0

T = TypeVar("T")


class _Head(msgspec.Struct):
    model: str = ""


_HEAD = msgspec.json.Decoder(_Head)


class SliceSender:
    """Sends requests, and gives their result lines to `flushes`.

    `stopped` is why no more requests are sent: empty, `time`, `lease`, `gone` (the task no longer waits), `flush` (the
    store fails), `error`, or the name of the error that halts the job. A request without a line was then not sent, or
    its answer is not known. `betas` are sent with each request.
    """

    def __init__(
        self,
        flushes: Flushes,
        *,
        api: MessageApi,
        permits: FleetPermits,
        clock: Clock,
        held_until: datetime,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.stopped = ""
        self.betas: tuple[str, ...] = ()
        self.trouble: AccountTrouble | None = None
        self.hold(held_until)
        self.sent = self.uncertain = self.throttled = self.answered = self.errored = 0
        self._flushes = flushes
        self._api = api
        self._permits = permits
        self._clock = clock
        self._pause = pause
        self._jitter = jitter
        self._window = self._opened = 0
        self._last: ModelPermits | None = None
        self._beginning = b""
        self._idle: set[asyncio.Task[Any]] = set()

    async def send_all(self, requests: Iterator[StoredRequest], *, window: int) -> None:
        """Send requests until they end or `stop` is called, then wait for the open ones. Memory holds one window."""
        self._window = window
        workers = [asyncio.ensure_future(self._work(requests)) for _ in range(window)]
        ended = await asyncio.gather(*workers, return_exceptions=True)
        for end in ended:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    def stop(self, why: str) -> None:
        """Send no more requests, and cancel those that wait for a permit, a put or a retry. The first reason stays."""
        if not self.stopped:
            self.stopped = why
            for task in self._idle:
                task.cancel()

    def hold(self, until: datetime) -> None:
        """Set the time until which the lease is held."""
        self._safe_until = until - LEASE_MARGIN

    def look_at_the_time(self) -> None:
        """Stop if the invocation or the lease ends soon, or if a flush has failed."""
        if self._clock.remaining() < OPENING_RESERVE:
            self.stop("time")
        elif self._clock.now() > self._safe_until:
            self.stop("lease")
        elif self._flushes.has_failed:
            self.stop("flush")

    async def _work(self, requests: Iterator[StoredRequest]) -> None:
        while True:
            self.look_at_the_time()
            request = None if self.stopped else next(requests, None)
            if request is None:
                return
            try:
                await self._answer(request)
            except AccountTrouble as trouble:
                self.trouble = trouble
                self.stop(AccountTrouble.__name__)
            except BaseException:
                self.stop("error")
                raise

    async def _answer(self, request: StoredRequest) -> None:
        """Send one request until it has a line. A request that was stopped has none, unless a try may be billed.

        If an answer was lost, this worker tries the request again, and no later one does: it is `uncertain`.
        """
        lost, has_line = LostTries(), False
        try:
            has_line = await self._tried(request, lost)
        finally:
            if lost.tries and not has_line:
                self.errored += 1
                self._flushes.add(lost.line(request.custom_id))

    def _note_answer(
        self, custom_id: str, answer: Answer, lost: LostTries, began: datetime, *, is_message: bool
    ) -> None:
        """Write an answer's line. One that is not a message may be billed; it is not tried again, to be paid once."""
        if is_message:
            self.answered += 1
            seconds = max((self._clock.now() - began).total_seconds(), 0.0)
            named = answer.headers.get("request-id")
            self._flushes.add(succeeded_line(custom_id, answer.body, seconds, lost=lost.tries, request_id=named))
        else:
            self.uncertain += 1
            self.errored += 1
            self._flushes.add(unreadable_line(custom_id, answer.body, lost=lost.tries + 1))

    def _note_error(self, custom_id: str, kind: str, message: str) -> bool:
        self.errored += 1
        self._flushes.add(errored_line(custom_id, kind, message))
        return True

    async def _tried(self, request: StoredRequest, lost: LostTries) -> bool:
        """Try a request until it has a line; return False if it has none. Count its lost tries."""
        params = bytes(request.params)
        permits = self._permits_for(params)
        failures = refusals = 0
        while not self.stopped:
            charge = await self._charge(permits, len(params))
            if self.stopped:
                permits.failed(charge)
                return False
            began = self._clock.now()
            reply, usage = await self._sent(params)
            match reply:
                case Answer():
                    if usage is None:
                        permits.failed(charge)
                    else:
                        permits.settle(charge, len(params), usage, reply)
                    self._note_answer(request.custom_id, reply, lost, began, is_message=usage is not None)
                    return True
                case Throttled(kind=kind, message=message):
                    permits.refused(charge, reply)
                    refusals += 1
                    self.throttled += 1
                case Passing(kind=kind, message=message):
                    permits.failed(charge)
                    self.uncertain += reply.is_uncertain
                    lost.add(reply)
                    failures += 1
                case Refused(kind=kind, message=message):
                    permits.failed(charge)
                    failures = MOST_FAILURES
                case never:
                    assert_never(never)
            lost.kind, lost.message = kind, message
            if failures >= MOST_FAILURES or refusals >= MOST_REFUSALS:
                return not lost.tries and self._note_error(request.custom_id, kind, message)
            if isinstance(reply, Passing):
                await self._idly(self._pause(self._backoff(failures)))
        return False

    async def _charge(self, permits: ModelPermits, size: int) -> Need:
        """Wait for a permit, and until the flushes have room. Return the charge."""
        charge = permits.take_at_once(size)
        if charge is None:
            charge = await self._idly(permits.take(size))
        while not self._flushes.has_room(self._opened, self._window):
            await self._idly(self._flushes.put_ended())
        self.look_at_the_time()  # both may take minutes, and a slow ledger may delay the watch
        return charge

    async def _sent(self, params: bytes) -> tuple[Reply, Usage | None]:
        """Send one try. Return the reply, and an answer's usage; None if the answer is not a message."""
        within = min(REQUEST_SECONDS, self._clock.remaining() - FLUSH_RESERVE)
        self.sent += 1
        self._opened += 1
        try:
            reply = await self._api.send(params, within=max(within, 1.0), betas=self.betas)
        finally:
            self._opened -= 1
        if not isinstance(reply, Answer):
            return reply, None
        return reply, usage_of(reply.body) or odd_usage(reply.body)

    def _permits_for(self, params: bytes) -> ModelPermits:
        """Return the permits of the request's model. Most requests start like the last one; then nothing is decoded."""
        if self._last is not None and params.startswith(self._beginning):
            return self._last
        model = _HEAD.decode(params).model
        self._last = self._permits.of(model)
        self._beginning = b'{"model":%b,' % msgspec.json.encode(model)
        return self._last

    def _backoff(self, failures: int) -> float:
        longest: float = min(BACKOFF_SECONDS * 2**failures, MOST_BACKOFF)
        return self._jitter() * longest

    async def _idly(self, waiting: Awaitable[T]) -> T:
        """Wait for something that `stop` may cancel."""
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        try:
            return await waiting
        finally:
            self._idle.discard(task)
