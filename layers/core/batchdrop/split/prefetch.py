"""Process a few rows concurrently and return them in order, so that rows wait for S3 at the same time.

Two bounds keep memory flat: the number of rows under way, and the bytes that they have claimed. The first row in order
gets its claim at once, even beyond the bound, so it never waits for a later row. The other rows wait for room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Generic, TypeVar

ROWS_PREFETCHED = 8  # ours: S3 answers in parallel, and boto3 keeps ten connections
BYTES_PREFETCHED = 64_000_000  # ours: a file takes about five times its bytes of memory until its request is written


T = TypeVar("T")
R = TypeVar("R")


class _Abandoned(Exception):  # ends a worker whose result is not needed; never leaves this module
    pass


class Room:
    """The bytes that rows under way have claimed."""

    def __init__(self, most: int = BYTES_PREFETCHED) -> None:
        self._most = most
        self._claimed: dict[int, int] = {}
        self._first = 0
        self._closed = False
        self._changed = threading.Condition()
        self._worker = threading.local()

    def claim(self, size: int) -> None:
        """Claim bytes for the row that this thread works on; wait for room unless the row is first in order.

        A thread without a row does not wait.
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
        """Assign the claims of this thread to a row."""
        self._worker.number = number
        try:
            yield
        finally:
            self._worker.number = None

    def release(self, number: int) -> None:
        """Release a row's claims; the next row is now first in order."""
        with self._changed:
            self._claimed.pop(number, None)
            self._first = number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """Wake all waiting threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has(self, size: int) -> bool:
        return sum(self._claimed.values()) + size <= self._most


class Prefetch(Generic[T, R]):
    """Calls `ask` for a few items concurrently; it may claim bytes of `room`."""

    def __init__(self, ask: Callable[[T], R], room: Room, *, ahead: int = ROWS_PREFETCHED) -> None:
        self._ask = ask
        self._room = room
        self._ahead = ahead

    def answers(self, items: Iterator[T]) -> Generator[R, None, None]:
        """Yield the items' results, in order. Can be used once.

        An error of `ask` is raised when its item's turn comes, an error of `items` after all items before it. After the
        generator is closed, nothing runs in the background.
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
