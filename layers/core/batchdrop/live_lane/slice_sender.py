"""Send the requests of a slice. A window of them is open at once; the next is sent when one is answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_never

from batchdrop.answers.odd_records import odd_usage
from batchdrop.answers.result import Usage
from batchdrop.answers.result_line import usage_of
from batchdrop.errors import AccountTrouble
from batchdrop.limits import LONGEST_LIVE_ANSWER
from batchdrop.live_lane.answer_flushes import Flushes
from batchdrop.live_lane.expected_seconds import LEAST_EXPECTED, ExpectedSeconds, is_streamed
from batchdrop.live_lane.fleet_permits import FleetPermits, ModelPermits
from batchdrop.live_lane.permits import Need
from batchdrop.live_lane.ports import MessageApi
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled
from batchdrop.live_lane.slice_lines import SliceLines
from batchdrop.live_lane.slice_requests import LiveRequest
from batchdrop.live_lane.tries import LastError, Tries, TriesOfSlice
from batchdrop.ports import Clock
from batchdrop.recipe.lane import too_long_for_live

FLUSH_RESERVE = 20.0  # seconds of the invocation for the last flush and for ending the task; open requests time out
OPENING_RESERVE = LEAST_EXPECTED + FLUSH_RESERVE  # with less time, an invocation opens nothing
LEASE_MARGIN = timedelta(seconds=5)  # the largest difference between the clocks of two workers
BACKOFF_SECONDS = 0.5  # the longest wait after the first failure is twice this; it doubles with each failure
MOST_BACKOFF = 8.0
REFUSED_SECONDS = 1.0  # after a refusal that names no time; the permits slow down all workers if refusals go on
QUICK_SECONDS = 10.0  # a 502 after a longer time is a gateway that did not wait for an answer, which is paid
TIME_OVER = "TimeOver"

T = TypeVar("T")


class SliceSender:
    """Sends requests, and gives their result lines to `flushes`.

    `stopped` is why no more requests are sent: empty, `time`, `lease`, `gone` (the task no longer waits), `flush` (the
    store fails), `error`, `TimeOver` (the slice's `until`), or the name of the error that halts the job. A request
    without a line was then not sent, or its answer is not known. `tries` has what the next worker must know of it.
    `betas` are sent with each request.
    """

    def __init__(
        self,
        flushes: Flushes,
        *,
        api: MessageApi,
        permits: FleetPermits,
        clock: Clock,
        held_until: datetime,
        until: int = 0,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.stopped = ""
        self.betas: tuple[str, ...] = ()
        self.trouble: AccountTrouble | None = None
        self.hold(held_until)
        self.tries: TriesOfSlice = {}
        self.expected = ExpectedSeconds()
        self.lines = SliceLines(flushes)
        self.sent = self.uncertain = self.throttled = 0
        self._flushes = flushes
        self._api = api
        self._permits = permits
        self._clock = clock
        self._until = until
        self._pause = pause
        self._jitter = jitter
        self._window = 0
        self._open: dict[object, datetime] = {}  # when each was opened, the oldest first
        self._idle: set[asyncio.Task[Any]] = set()

    async def send_all(self, requests: Iterator[LiveRequest], *, window: int) -> None:
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

    def look_at_the_time(self, max_tokens: int = 0) -> None:
        """Stop if a flush has failed, or if the lease, the slice's time or the invocation ends soon.

        The invocation must have the seconds that an answer with `max_tokens` takes, so that no answer is cut off.
        """
        now = self._clock.now()
        if self._clock.remaining() < self._seconds_to_keep(max_tokens, now):
            self.stop("time")
        elif now > self._safe_until:
            self.stop("lease")
        elif self._until and now.timestamp() >= self._until:
            self.stop(TIME_OVER)
        elif self._flushes.has_failed:
            self.stop("flush")

    def _seconds_to_keep(self, max_tokens: int, now: datetime) -> float:
        oldest = next(iter(self._open.values()), now)
        return self.expected.of(max_tokens, open_for=(now - oldest).total_seconds()) + FLUSH_RESERVE

    async def _work(self, requests: Iterator[LiveRequest]) -> None:
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

    async def _answer(self, request: LiveRequest) -> None:
        """Send one request until it has a line, or until the sender is stopped."""
        if reason := too_long_for_live(request.max_tokens):
            self.lines.too_long(request, reason)
            return
        tries, last, has_line = self.tries.setdefault(request.custom_id, Tries()), LastError(), False
        try:
            has_line = await self._try(request, tries, last)
        finally:
            if has_line or self._ends(request.custom_id, tries, last):
                del self.tries[request.custom_id]

    def _ends(self, custom_id: str, tries: Tries, last: LastError) -> bool:
        """Return whether a stopped request ends here. Else the slice's next worker sends it.

        It gets a line if a try may be billed, so that no round sends it again unawares.
        """
        if self.stopped in {"time", "flush", "error"}:
            return False
        if tries.perhaps_paid or (last.is_known and self.stopped == TIME_OVER):
            self.lines.error(custom_id, tries, last.kind, last.message)
        return True

    async def _try(self, request: LiveRequest, tries: Tries, last: LastError) -> bool:
        """Try a request until it has a line. Return False if it was stopped before."""
        size, permits = len(request.params), self._permits.of(request.model)
        while not self.stopped:
            charge = await self._charge(permits, request)
            if self.stopped:
                permits.failed(charge)
                return False
            began = self._clock.now()
            reply, usage = await self._sent(request, began)
            seconds = max((self._clock.now() - began).total_seconds(), 0.0)
            if isinstance(reply, Answer):
                permits.settle(charge, size, usage, reply)
                self._note_answer(request, reply, seconds, tries, is_message=usage is not None)
                return True
            if isinstance(reply, Throttled) and reply.is_server_error and seconds > QUICK_SECONDS:
                reply = Passing(reply.kind, reply.message, is_uncertain=True)
            last.note(reply.kind, reply.message)
            wait = self._note_failure(request, reply, permits, charge, tries, seconds)
            if isinstance(reply, Refused) or tries.have_ended:
                self.lines.error(request.custom_id, tries, last.kind, last.message, is_final=isinstance(reply, Refused))
                return True
            await self._idly(self._pause(wait))
        return False

    def _note_answer(
        self, request: LiveRequest, answer: Answer, seconds: float, tries: Tries, *, is_message: bool
    ) -> None:
        if is_message:
            self.expected.learn(request.max_tokens, seconds)
            self.lines.answer(request, answer, seconds, tries)
        else:
            self.uncertain += 1
            self.lines.unreadable(request, answer, tries)

    def _note_failure(
        self,
        request: LiveRequest,
        reply: Throttled | Passing | Refused,
        permits: ModelPermits,
        charge: Need,
        tries: Tries,
        seconds: float,
    ) -> float:
        """Count a try without an answer. Return the seconds until the next one."""
        match reply:
            case Throttled():
                permits.refused(charge, reply)
                self.throttled += 1
                tries.errors += reply.is_server_error
                return REFUSED_SECONDS * (0.5 + self._jitter()) if reply.retry_after is None else reply.retry_after
            case Passing(is_uncertain=True):
                permits.failed(charge)
                self.uncertain += 1
                tries.lost += 1
                self.expected.learn(request.max_tokens, seconds, is_whole=False)
            case Passing():
                permits.failed(charge)
                tries.failures += 1
                tries.errors += reply.is_server_error
            case Refused():
                permits.failed(charge)
            case never:
                assert_never(never)
        longest: float = min(BACKOFF_SECONDS * 2 ** (tries.failures + tries.lost), MOST_BACKOFF)
        return self._jitter() * longest

    async def _charge(self, permits: ModelPermits, request: LiveRequest) -> Need:
        """Wait for a permit, and until the flushes have room. Return the charge."""
        charge = permits.take_at_once(len(request.params))
        if charge is None:
            charge = await self._idly(permits.take(len(request.params)))
        while not self._flushes.has_room(len(self._open), self._window):
            await self._idly(self._flushes.put_ended())
        self.look_at_the_time(request.max_tokens)  # both may take minutes, and a slow ledger may delay the watch
        return charge

    async def _sent(self, request: LiveRequest, began: datetime) -> tuple[Reply, Usage | None]:
        """Send one try. Return the reply, and an answer's usage; None if the answer is not a message."""
        within = min(LONGEST_LIVE_ANSWER, self._clock.remaining() - FLUSH_RESERVE)
        self.sent += 1
        opened = object()
        self._open[opened] = began
        try:
            reply = await self._api.send(
                request.params,
                within=max(within, 1.0),
                is_streamed=is_streamed(request.max_tokens),
                betas=self.betas,
            )
        finally:
            del self._open[opened]
        if not isinstance(reply, Answer):
            return reply, None
        return reply, usage_of(reply.body) or odd_usage(reply.body)

    async def _idly(self, waiting: Awaitable[T]) -> T:
        """Wait for something that `stop` may cancel."""
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        try:
            return await waiting
        finally:
            self._idle.discard(task)
