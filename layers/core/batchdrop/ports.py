"""What several rooms need from the world, as Protocols. Adapters and the fakes of the tests both implement them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol


class ObjectMissing(Exception):  # an answer of the store, not a fault of the program
    """There is no object at that key."""


class ObjectChanged(Exception):  # likewise
    """The object at that key is no longer the one that was asked for, or looked at (its ETag differs)."""


class Writer(Protocol):
    """Receives an object's bytes in order; the object appears whole when its context ends without an error."""

    def write(self, data: bytes, /) -> None:
        """Append bytes."""


Guard = Callable[[], object]  # raises if a write must not come


class ObjectStore(Protocol):
    """One bucket. Writes replace; every read sees the last completed write.

    A write with a `guard` calls it before the object appears, and what the guard saw still holds then: if anybody has
    written the object since, it does not appear, and ObjectChanged is raised.
    """

    def read(self, key: str) -> bytes:
        """Return a whole small object. Raises ObjectMissing."""

    def size(self, key: str) -> int:
        """Return an object's bytes. Raises ObjectMissing."""

    def stream(self, key: str, *, start: int = 0, etag: str | None = None) -> Generator[bytes, None, None]:
        """Yield an object's bytes from offset `start`, in blocks of about 1 MiB.

        Survives dropped connections. Raises ObjectMissing, or ObjectChanged if `etag` is not the object's own.
        """

    def read_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> bytes:
        """Return the bytes from `start` up to, not with, `end`, both within the object.

        Raises ObjectMissing, or ObjectChanged if `etag` is not the object's own.
        """

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a small object. Raises ObjectChanged, and what the guard raises."""

    def writer(self, key: str, *, guard: Guard | None = None) -> AbstractContextManager[Writer]:
        """Write a large object piece by piece in flat memory; nothing appears if the context ends by an error."""

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Write an object that is its strips behind each other: bytes, and other objects whole, by their keys.

        Large objects are copied within the bucket. The keys should begin alike, for what begins so is listed. Raises
        ObjectMissing for one that is not there, ObjectChanged for one that is replaced meanwhile, and what `write`
        raises; nothing appears then.
        """

    def exists(self, key: str) -> bool:
        """Tell whether there is an object at that key."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def remaining(self) -> float:
        """Return the seconds this invocation may still take."""


class Source(Protocol):
    """Something in the bucket to be read: the upload, or a file that a function wrote."""

    name: str
    """What messages call it."""

    @property
    def size(self) -> int:
        """Return its bytes."""

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield its bytes from offset `start`, in blocks of about 1 MiB."""

    def open(self) -> BinaryIO:
        """Open it for reading in any order; in flat memory."""
