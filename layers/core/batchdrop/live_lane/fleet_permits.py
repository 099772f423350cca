"""One worker's share of the fleet's permits: it draws lots from the ledger and hands out the permits one by one."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from batchdrop.answers.result import Usage
from batchdrop.live_lane.pace import Calls
from batchdrop.live_lane.permits import (
    DRAW_SECONDS,
    MOST_DRAW_SECONDS,
    UNSEEN,
    WAIT_UNTOLD,
    Need,
    PermitDemand,
    Typical,
    Versioned,
    draw,
    seconds_to_wait,
)
from batchdrop.live_lane.ports import Offload, Permits
from batchdrop.live_lane.reply import UNKNOWN_LIMITS, Answer, Limits, Throttled, limits_of
from batchdrop.ports import Clock

LEAD = 1.5  # a lot has more permits than the last interval used, so that it lasts until the next one
LONG_WAIT = 5.0  # seconds in retry-after: a limit is met that all workers share
STALE_SECONDS = 1.5  # an older view is checked against the ledger, even if it promises no permit
DRAW_TRIES = 6  # of one lot, if other workers write at the same time
CONFLICT_SECONDS = 0.03  # the longest pause between two tries; doubled each time


class FleetPermits:
    """The permits of all models, for one worker. `share` (0 to 1) is the fleet's part of the API's limits."""

    def __init__(
        self,
        permits: Permits,
        *,
        clock: Clock,
        share: float,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        offload: Offload = asyncio.to_thread,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.permits = permits
        self.clock = clock
        self.share = share
        self.pause = pause
        self.offload = offload
        self.jitter = jitter
        self._models: dict[str, ModelPermits] = {}

    def of(self, model: str) -> ModelPermits:
        """Return the permits of one model."""
        if model not in self._models:
            self._models[model] = ModelPermits(model, self)
        return self._models[model]

    async def close(self) -> None:
        """Give back the unused permits."""
        for model in self._models.values():
            await model.close()


class ModelPermits:
    """The permits of one model, for one worker: the current lot, the waiting requests, a task that draws lots."""

    def __init__(self, model: str, fleet: FleetPermits) -> None:
        self._model = model
        self._fleet = fleet
        self._seen = UNSEEN
        self._seen_at = 0.0
        self._typical = Typical()
        self._lot = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._owed = Need()
        self._answer: Answer | None = None
        self._limits = UNKNOWN_LIMITS
        self._refused_for: float | None = None
        self._is_drained = False
        self._calls = Calls()
        self._granted = 0
        self._feeder: asyncio.Task[None] | None = None

    def take_at_once(self, size: int) -> Need | None:
        """Take a permit of the current lot for a request of `size` bytes. Return its charge; None if there is none."""
        if not self._lot or self._waiting:
            return None
        self._lot -= 1
        self._typical.see(size)
        return self._charge(size)

    async def take(self, size: int) -> Need:
        """Wait for a permit and return its charge. If the wait is canceled, the permit stays for other requests."""
        charge = self.take_at_once(size)
        if charge is not None:
            return charge
        self._typical.see(size)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._feed()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._lot += 1
            raise
        return self._charge(size)

    def settle(self, charge: Need, size: int, usage: Usage | None, answer: Answer) -> None:
        """Book the real usage of an answered request (None: not known), and the limits in its headers."""
        self._answer = answer
        if usage is None:
            self.failed(charge)
            return
        input_tokens = usage.input_tokens + (usage.cache_creation_input_tokens or 0)
        self._typical.learn(size, input_tokens, usage.output_tokens)
        self._owed.input_tokens += input_tokens - charge.input_tokens
        self._owed.output_tokens += usage.output_tokens - charge.output_tokens

    def failed(self, charge: Need) -> None:
        """Book a request without an answer: it used one request of the limit, and no tokens as far as is known."""
        self._owed.input_tokens -= charge.input_tokens
        self._owed.output_tokens -= charge.output_tokens

    def refused(self, charge: Need, reply: Throttled) -> None:
        """Book a refusal, which used nothing. If the limit is met, or most calls are refused, all workers wait."""
        self._owed.add(charge, -1.0)
        rooms = [
            room for room in (reply.limits.requests, reply.limits.input_tokens, reply.limits.output_tokens) if room
        ]
        wait = WAIT_UNTOLD if reply.retry_after is None else reply.retry_after
        self._is_drained |= wait > LONG_WAIT or any(room.remaining < 1 for room in rooms)
        self._count(refused=1)
        self._refused_for = max(self._refused_for or 0.0, wait)
        if rooms:
            self._answer, self._limits = None, reply.limits
        if self._is_drained:
            self._give_back()
        self._feed()

    def _count(self, *, sent: int = 0, refused: int = 0) -> None:
        self._calls = Calls(self._calls.sent + sent, self._calls.refused + refused)

    async def close(self) -> None:
        """Stop drawing, and give back the current lot."""
        if self._feeder is not None:
            self._feeder.cancel()
            await asyncio.gather(self._feeder, return_exceptions=True)
        self._give_back()
        if self._seen is not UNSEEN:
            with suppress(Exception):  # optional: permits that are not given back are lost for only a second
                await self._draw()

    def _charge(self, size: int) -> Need:
        """Return a request's charge. Its permit was charged as a typical request, so book the difference."""
        guess = self._typical.guess(size)
        self._granted += 1
        self._count(sent=1)
        self._owed.input_tokens += guess.input_tokens - self._typical.input_tokens
        return guess

    def _give_back(self) -> None:
        self._owed.add(self._typical.need, -float(self._lot))
        self._lot = 0

    def _last_limits(self) -> Limits:
        """Return the limits of the last answer or refusal."""
        if self._answer is not None:
            self._limits = limits_of(self._answer.headers)
            self._answer = None
        return self._limits

    def _feed(self) -> None:
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Draw lots while requests need permits. An error of the ledger is raised in the waiting requests."""
        try:
            await self._draw_on()
        except Exception as error:  # noqa: BLE001 - any error of the ledger's SDK
            while self._waiting:
                turn = self._waiting.popleft()
                if not turn.done():
                    turn.set_exception(error)

    async def _draw_on(self) -> None:
        is_busy = True
        while is_busy:
            granted, self._granted = self._granted, 0
            wanted = len(self._waiting) + max(0, round(granted * LEAD) - self._lot)
            lot = await self._draw(wanted)
            self._hand_out(lot)
            await self._fleet.pause(self._until_next(lot))
            is_busy = bool(self._waiting or self._granted or self._refused_for is not None)

    def _until_next(self, lot: int) -> float:
        """Return the seconds to the next draw. Jitter changes the order of the workers, so that none is always last."""
        jitter = 0.75 + 0.5 * self._fleet.jitter()
        state = self._seen.state
        if state is None:
            return DRAW_SECONDS * jitter
        if lot or not self._waiting:
            return state.spacing * jitter
        wait = seconds_to_wait(state, now=self._now(), share=self._fleet.share)
        return max(state.spacing, min(wait, MOST_DRAW_SECONDS)) * jitter

    def _hand_out(self, lot: int) -> None:
        self._lot += lot
        while self._lot and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._lot -= 1
                turn.set_result(None)

    async def _draw(self, wanted: int = 0) -> int:
        """Return the permits that the ledger granted; 0 also if every try met another worker's write."""
        for tries in range(DRAW_TRIES):
            now, owed, refused_for, calls = (
                self._now(),
                msgspec.structs.replace(self._owed),
                self._refused_for,
                self._calls,
            )
            is_drained, limits = self._is_drained, self._last_limits()
            demand = PermitDemand(wanted, self._typical.need, owed, limits, refused_for, tries, calls, is_drained)
            state, lot = draw(self._seen.state, demand, now=now, share=self._fleet.share)
            if not lot and wanted and refused_for is None and now - self._seen_at < STALE_SECONDS:
                return 0
            newer = await self._fleet.offload(self._fleet.permits.replace, self._model, self._seen, state)
            self._seen_at = now
            if newer is None:
                self._seen = Versioned(state, self._seen.version + 1)
                self._owed.add(owed, -1.0)
                self._refused_for = None if self._refused_for == refused_for else self._refused_for
                self._is_drained &= self._calls is not calls
                self._count(sent=-calls.sent, refused=-calls.refused)
                return lot
            self._seen = newer
            await self._fleet.pause(CONFLICT_SECONDS * 2**tries * self._fleet.jitter())
        return 0

    def _now(self) -> float:
        return self._fleet.clock.now().timestamp()
