"""Rows asked a few at a time and given back in order: where a row waits for S3, others wait with it.

Memory stays flat by two bounds: how many rows are under way, and how many bytes they have claimed. The row that is
to be given back next gets what it claims at once, even beyond the bound, so that nobody waits for a later one; the
others wait for room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Generic, TypeVar

from batchdrop.limits import BYTES_PREFETCHED, ROWS_PREFETCHED

T = TypeVar("T")
R = TypeVar("R")


class _Abandoned(Exception):  # ends a worker whose result nobody will take; never leaves this module
    pass


class Room:
    """Bytes that rows under way have claimed."""

    def __init__(self, most: int = BYTES_PREFETCHED) -> None:
        self._most = most
        self._claimed: dict[int, int] = {}
        self._first = 0
        self._closed = False
        self._changed = threading.Condition()
        self._worker = threading.local()

    def claim(self, size: int) -> None:
        """Take room for the row that this thread works on; wait for it, unless the row is the first in order.

        Without a row under way in this thread, there is nothing to wait for.
        """
        number: int | None = getattr(self._worker, "number", None)
        if number is None:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._closed or number == self._first or self._has(size))
            if self._closed:
                raise _Abandoned
            self._claimed[number] = self._claimed.get(number, 0) + size

    @contextmanager
    def working_on(self, number: int) -> Iterator[None]:
        """Let what this thread claims be that row's."""
        self._worker.number = number
        try:
            yield
        finally:
            self._worker.number = None

    def release(self, number: int) -> None:
        """Give back what a row has claimed; the row behind it is now the first in order."""
        with self._changed:
            self._claimed.pop(number, None)
            self._first = number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has(self, size: int) -> bool:
        return sum(self._claimed.values()) + size <= self._most


class Prefetch(Generic[T, R]):
    """Calls `ask` with items, a few at a time; it may claim bytes of `room`."""

    def __init__(self, ask: Callable[[T], R], room: Room, *, ahead: int = ROWS_PREFETCHED) -> None:
        self._ask = ask
        self._room = room
        self._ahead = ahead

    def answers(self, items: Iterator[T]) -> Generator[R, None, None]:
        """Yield the items' answers, in order. Used once.

        What `ask` raises is raised in its item's turn, what `items` raises after all items before it. Nothing goes on
        in the background once the generator is closed.
        """
        pool = ThreadPoolExecutor(self._ahead, thread_name_prefix="look-ahead")
        try:
            for number, answer in enumerate(self._under_way(pool, items)):
                yield answer.result()
                self._room.release(number)
        finally:
            self._room.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def _under_way(self, pool: ThreadPoolExecutor, items: Iterator[T]) -> Iterator[Future[R]]:
        waiting: deque[Future[R]] = deque()
        trouble: Exception | None = None
        numbers = count()
        while True:
            while trouble is None and len(waiting) < self._ahead:
                try:
                    item = next(items)
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001 - kept until the items before it are through
                    trouble = error
                else:
                    waiting.append(pool.submit(self._answer, next(numbers), item))
            if not waiting:
                break
            yield waiting.popleft()
        if trouble is not None:
            raise trouble

    def _answer(self, number: int, item: T) -> R:
        with self._room.working_on(number):
            return self._ask(item)
