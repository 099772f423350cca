"""An asyncio event loop that is one actor of the scheduler: its seconds are the run's, its threads are actors, too.

While the loop waits, the others act; what they bring, they bring with `call`. When the function dies (a crash in any of
its threads, or its deadline), nothing of it acts any more: `run` raises, after the tasks were taken down in silence.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tests.faults.scheduler import Scheduler
from tests.faults.storm import Crash, Invocation, Storm

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits on the scheduler instead of on sockets."""

    def __init__(self, wait: Callable[[float | None], None]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait; there are no sockets to hear from."""
        self._wait(timeout)
        return []


class ActorLoop(asyncio.SelectorEventLoop):
    """The loop of one invocation; it belongs to the actor that makes it."""

    def __init__(self, scheduler: Scheduler, storm: Storm, invocation: Invocation) -> None:
        self._scheduler = scheduler
        self._storm = storm
        self._invocation = invocation
        self._actor = scheduler.current()
        self._waits = False
        self._is_over = False
        self._skipped = 0.0
        super().__init__(_Selector(self._wait))
        self.set_exception_handler(lambda _loop, _context: None)  # what a dead process has to say is heard by nobody

    def time(self) -> float:
        """Return the run's seconds."""
        return self._scheduler.now + self._skipped

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run to the end. Raises what `main` raises, and Crash."""
        try:
            result = self.run_until_complete(main)
            assert not asyncio.all_tasks(self), "a task was left behind, and would go on in the next invocation"
            return result
        finally:
            self._take_down()

    def call(self, act: Callable[[], object]) -> None:
        """Let the loop do something, now: for other actors. A dead function does nothing."""
        if self._is_over or self._invocation.is_dead:
            return
        self.call_soon(act)
        if self._waits:
            self._scheduler.wake(self._actor)

    def run_in_executor(  # type: ignore[override]  # asyncio's own signature has no plainer form
        self, _executor: object, act: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a blocking call as an actor of its own, for the same invocation."""
        future = self.create_future()
        if self._is_over:
            future.set_exception(Crash())
            return future

        def thread() -> None:
            try:
                result = act(*args)
            except Crash:
                self._wake()
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who waits for the call
                self._settle(future, error, None)
            else:
                self._settle(future, None, result)

        self._scheduler.start(f"{self._invocation.name} thread", thread).context = self._invocation
        return future

    def _settle(self, future: asyncio.Future[Any], error: Exception | None, result: Any) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call(settle)

    def _wake(self) -> None:
        if self._waits:
            self._scheduler.wake(self._actor)

    def _wait(self, timeout: float | None) -> None:
        if self._is_over:
            assert timeout is not None, "a task waits on while its process is taken down"
            self._skipped += timeout
            return
        if timeout != 0 and not self._invocation.is_dead:
            self._pause(timeout)
        if self._invocation.is_dead:
            raise Crash
        if self._scheduler.now >= self._invocation.deadline:
            self._storm.time_is_up(self._invocation)

    def _pause(self, timeout: float | None) -> None:
        deadline = max(self._invocation.deadline, self._scheduler.now)
        self._waits = True
        try:
            self._scheduler.pause(deadline if timeout is None else min(self._scheduler.now + timeout, deadline))
        finally:
            self._waits = False

    def _take_down(self) -> None:
        """Cancel what is left, without effects: a dead invocation's calls are refused by the storm."""
        self._is_over = True
        while left := asyncio.all_tasks(self):
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.close()
