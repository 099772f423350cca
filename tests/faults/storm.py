"""What goes wrong at each call of a port: drawn from the schedule's dice, counted, and written down."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import NoReturn, TypeVar

from tests.faults.schedule import CALM, Rates, Stray
from tests.faults.scheduler import Scheduler

T = TypeVar("T")
CREATE_IN_FLIGHT = 60.0  # a create that was on its way when its sender died, or gave up, arrives at most so late
WRITE_IN_FLIGHT = 2.0  # likewise a write inside one region


class Crash(BaseException):
    """The process is gone: nothing of it acts any more. `error` is what Step Functions hears."""

    error = "Runtime.ExitError"


class Timedout(Crash):
    """The invocation's deadline has come."""

    error = "Sandbox.Timedout"


class Invocation:
    """One run of a function: until when, on which clock, and whether it is still alive."""

    def __init__(self, name: str, deadline: float, skew: float) -> None:
        self.name = name
        self.deadline = deadline
        self.skew = skew
        self.is_dead = False
        self.stray: Stray | None = None
        self.calls = 0


class Storm:
    """The weather of one run."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, rates: Rates, log: Callable[[str], None]) -> None:
        self._scheduler = scheduler
        self.rng = rng
        self.rates = rates
        self.log = log
        self.counts: Counter[str] = Counter()

    def now(self) -> float:
        """Return the seconds since the run's start."""
        return self._scheduler.now

    def calm(self) -> None:
        """Let nothing go wrong from now on."""
        self.rates = CALM

    def strikes(self, rate: float, what: str) -> bool:
        """Throw the dice; count what happens."""
        if rate <= 0 or self.rng.random() >= rate:
            return False
        self.counts[what] += 1
        return True

    def invocation(self) -> Invocation | None:
        """Return the run of a function that makes the present call; None for the harness itself."""
        context = self._scheduler.current().context
        assert context is None or isinstance(context, Invocation)
        return context

    def call(self, name: str, effect: Callable[[], T], *, usual: float = 0.05, in_flight: float = 0.0) -> T:
        """Do `effect` for a function, in `usual` seconds or so, if the function lives so long.

        Raises Crash where the function is struck down, before or after the effect; what is on its way then may still
        arrive, at most `in_flight` seconds later.
        """
        invocation = self.invocation()
        if invocation is None:
            return effect()
        self._check_alive(invocation)
        is_late = self._strays_now(invocation, name)
        try:
            self.takes(self.duration(name, usual))
            self._maybe_crash(invocation, f"before {name}")
            self._check_alive(invocation)  # another thread of the function may have brought it down meanwhile
        except Crash:
            if in_flight and self.rng.random() < 0.5:
                self.arrives_later(name, effect, in_flight)
            raise
        result = effect()
        self.takes(self.duration(name, usual))
        self._maybe_crash(invocation, f"after {name}")
        self._check_alive(invocation)
        if is_late and invocation.stray and invocation.stray.dies:
            invocation.is_dead = True
            raise Crash(name)
        return result

    def _strays_now(self, invocation: Invocation, name: str) -> bool:
        """Let a stray wait before the call it is to wait before; tell whether this is it."""
        invocation.calls += 1
        if invocation.stray is None or invocation.calls != invocation.stray.before + 1:
            return False
        self.counts["given up for dead, late"] += 1
        self.log(f"{invocation.name}: waits {invocation.stray.seconds:.0f} s before {name}")
        self.takes(invocation.stray.seconds)
        return True

    def duration(self, name: str, usual: float) -> float:
        """Return how long half a call takes."""
        if self.strikes(self.rates.stall, "stall"):
            seconds = self.rng.choice((5.0, 70.0, 200.0, 400.0)) * self.rng.random()
            self.log(f"stall of {seconds:.0f} s at {name}")
            return seconds
        return self.rng.uniform(0.2, 1.0) * usual

    def takes(self, seconds: float) -> None:
        """Let the present invocation spend time. Raises Timedout at its deadline."""
        invocation = self.invocation()
        until = self._scheduler.now + seconds
        if invocation is None or until < invocation.deadline:
            self._scheduler.pause(until)
            return
        self._scheduler.pause(max(invocation.deadline, self._scheduler.now))
        self.time_is_up(invocation)

    def time_is_up(self, invocation: Invocation) -> NoReturn:
        """End a function at its deadline; whichever of its threads comes first says so. Raises Crash."""
        self._check_alive(invocation)
        invocation.is_dead = True
        self.counts["timeout of a function"] += 1
        self.log(f"{invocation.name}: timed out")
        raise Timedout

    def may_crash(self, where: str, part: float) -> None:
        """Crash, with a part of the crash rate, at a moment that takes no time. Raises Crash."""
        invocation = self.invocation()
        if invocation is not None:
            self._check_alive(invocation)
            self._maybe_crash(invocation, where, part)

    def arrives_later(self, name: str, effect: Callable[[], object], within: float) -> None:
        """Let something that is on its way arrive, though nobody waits for the answer."""

        def arrive() -> None:
            self.log(f"arrives late: {name}")
            try:
                effect()
            except Exception as refusal:  # noqa: BLE001 - nobody is there to hear it
                self.log(f"refused: {refusal}")

        self.counts["arrived after its sender's end"] += 1
        self._scheduler.start(f"late {name}", arrive, delay=self.rng.uniform(0, within))

    def _maybe_crash(self, invocation: Invocation, where: str, part: float = 1.0) -> None:
        if self.strikes(self.rates.crash * part, "crash"):
            invocation.is_dead = True
            self.log(f"{invocation.name}: crash {where}")
            raise Crash(where)

    def _check_alive(self, invocation: Invocation) -> None:
        if invocation.is_dead:
            raise Crash
