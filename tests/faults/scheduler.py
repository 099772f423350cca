"""Virtual time: actors that take turns, so that what overlaps in a real account overlaps here, the same way each time.

An actor is a thread, but only one runs at any moment: when it sleeps or waits, it hands its turn to the one whose time
comes first. Nothing waits in real time.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count


class Stopped(BaseException):
    """Raised inside an actor that was stopped from outside; no part of the product may catch it."""


def _shut() -> threading.Lock:
    """Return a lock that another thread opens: the cheapest way to hand over a turn."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Signal:
    """Something that happens once; actors can wait for it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: list[Actor] = []
        self.is_set = False

    def set(self) -> None:
        """Let it have happened, now."""
        self.is_set = True
        for actor in self._waiting:
            self._scheduler.wake(actor)
        self._waiting.clear()

    def wait(self, until: float | None = None) -> bool:
        """Wait for it, at most until then; tell whether it has happened."""
        if not self.is_set:
            actor = self._scheduler.current()
            self._waiting.append(actor)
            try:
                self._scheduler.pause(until)
            finally:
                if actor in self._waiting:
                    self._waiting.remove(actor)
        return self.is_set


class Actor:
    """One line of action. `done` is set at its end, however it ends."""

    def __init__(self, scheduler: Scheduler, name: str, act: Callable[[], object]) -> None:
        self.name = name
        self.done = Signal(scheduler)
        self.turn = 0  # number of its wake-up call that counts; earlier ones are void
        self.stopped = False
        self.context: object = None
        self.error: BaseException | None = None
        self.go = _shut()
        self._scheduler = scheduler
        self._act = act
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        self.go.acquire()  # until its first turn
        try:
            if not self.stopped:
                self._act()
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the scheduler, which raises it
            self.error = error
        self.done.set()
        self._scheduler.finished(self)


class Scheduler:
    """Whose turn is it, and what time is it (seconds from 0)?"""

    def __init__(self) -> None:
        self.now = 0.0
        self._queue: list[tuple[float, int, Actor, int]] = []
        self._order = count()
        self._back = _shut()  # opened when nobody has a turn: `run` goes on
        self._error: BaseException | None = None
        self._current: Actor | None = None
        self._alive: set[Actor] = set()

    def current(self) -> Actor:
        """Return the actor whose turn it is."""
        assert self._current is not None, "only an actor can wait"
        return self._current

    def start(self, name: str, act: Callable[[], object], *, delay: float = 0.0) -> Actor:
        """Let a new actor begin after `delay`."""
        actor = Actor(self, name, act)
        self._alive.add(actor)
        actor.thread.start()
        self._call(actor, self.now + delay)
        return actor

    def sleep(self, seconds: float) -> None:
        """Let time pass for the actor whose turn it is."""
        self.pause(self.now + max(seconds, 0.0))

    def pause(self, until: float | None) -> None:
        """Give the turn away until then, or until it is woken. Raises Stopped."""
        actor = self.current()
        actor.turn += 1
        if until is not None:
            self._call(actor, until)
        if self._hand_over() is not actor:
            actor.go.acquire()
        if actor.stopped:
            raise Stopped

    def wake(self, actor: Actor) -> None:
        """Let a pausing actor go on now."""
        self._call(actor, self.now)

    def stop(self, actor: Actor) -> None:
        """End an actor where it stands."""
        if not actor.done.is_set:
            actor.stopped = True
            self.wake(actor)

    def finished(self, actor: Actor) -> None:
        """Hand over the turn of an actor that has ended; its error ends the run."""
        self._alive.discard(actor)
        self._error = actor.error
        self._current = None
        if self._error is not None:
            self._back.release()
        else:
            self._hand_over()

    def run(self) -> None:
        """Run until no one has anything left to do; who still waits then waits in vain and is stopped."""
        while self._queue or self._alive:
            if not self._queue:
                for actor in sorted(self._alive, key=lambda one: one.name):
                    self.stop(actor)
            if (chosen := self._next()) is not None:
                chosen.go.release()
                self._back.acquire()
            if self._error is not None:
                raise self._error

    def _hand_over(self) -> Actor | None:
        """Give the turn to the next actor, and return it. It may be the same actor. If nobody waits, `run` goes on."""
        giver, chosen = self._current, self._next()
        if chosen is None:
            self._back.release()
        elif chosen is not giver:
            chosen.go.release()
        return chosen

    def _next(self) -> Actor | None:
        """Choose whose turn it is, and let it be its time; None if nobody waits for a time."""
        self._current = None
        while self._queue:
            at, _, actor, turn = heapq.heappop(self._queue)
            if not actor.done.is_set and turn == actor.turn:
                self.now = max(self.now, at)
                actor.turn += 1
                self._current = actor
                return actor
        return None

    def _call(self, actor: Actor, at: float) -> None:
        heapq.heappush(self._queue, (at, next(self._order), actor, actor.turn))
