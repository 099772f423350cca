"""An event loop whose time passes only while everybody waits: seconds cost nothing, and every run is the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.fakes import START

T = TypeVar("T")


class Stuck(Exception):
    """Everybody waits, and for nothing that time brings."""


class _Selector(selectors.SelectSelector):
    """Never blocks: the time that it was to wait has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass. Raises Stuck where there is no end to it."""
        if timeout is None:
            raise Stuck
        self.passed += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._virtual.passed


class LoopClock:
    """The running loop's time as a Clock; the invocation may take `seconds` from its start on."""

    def __init__(self, seconds: float = 900.0) -> None:
        self._deadline = seconds

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def remaining(self) -> float:
        """Return what is left of the invocation."""
        return self._deadline - asyncio.get_running_loop().time()


async def at_once(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a blocking call right here, as no thread fits into virtual time; others get their turn around it."""
    await asyncio.sleep(0)
    result = call(*args, **kwargs)
    await asyncio.sleep(0)
    return result


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what was left running is cancelled. Raises Stuck."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_ended(list(left)))
        loop.close()


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    waiting: Awaitable[Any] = asyncio.gather(*tasks, return_exceptions=True)
    await waiting
