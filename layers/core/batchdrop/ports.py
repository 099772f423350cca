"""The ports that several rooms share, as Protocols. Adapters and the tests' fakes implement them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol


class ObjectMissing(Exception):  # an answer of the store, not an error of the program
    """The object does not exist."""


class ObjectChanged(Exception):  # likewise
    """The object is no longer the expected version (its ETag differs)."""


class Writer(Protocol):
    """Receives an object's bytes in order; the whole object appears when its context ends without an error."""

    def write(self, data: bytes, /) -> None:
        """Append bytes."""


Guard = Callable[[], object]  # raises if the write must not happen


class ObjectStore(Protocol):
    """One bucket. Writes replace objects; every read sees the last completed write.

    A write calls its `guard` before the object appears. If the object was written by someone else after that, the new
    object does not appear, and ObjectChanged is raised.
    """

    def read(self, key: str) -> bytes:
        """Return a small object. Raises ObjectMissing."""

    def size(self, key: str) -> int:
        """Return an object's size in bytes. Raises ObjectMissing."""

    def stream(
        self, key: str, *, start: int = 0, etag: str | None = None, version: str | None = None
    ) -> Generator[bytes, None, None]:
        """Yield an object's bytes from offset `start`, in blocks of about 1 MiB.

        Survives dropped connections. `version` reads that version of the object, although a newer one exists. Raises
        ObjectMissing, or ObjectChanged if `etag` is not the object's own.
        """

    def read_range(
        self, key: str, start: int, end: int, *, etag: str | None = None, version: str | None = None
    ) -> bytes:
        """Return the bytes from `start` up to but not including `end`, both within the object.

        Raises ObjectMissing, or ObjectChanged if `etag` is not the object's own.
        """

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a small object. Raises ObjectChanged, and the guard's errors."""

    def writer(self, key: str, *, guard: Guard | None = None) -> AbstractContextManager[Writer]:
        """Write a large object in pieces, in flat memory; nothing appears if the context ends with an error."""

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Write an object by concatenating its strips: bytes, and whole objects named by their keys.

        Large objects are copied within the bucket. The keys should share a prefix, which is listed. Raises
        ObjectMissing for a missing object, ObjectChanged for one that is replaced meanwhile, and the errors of
        `write`; nothing appears then.
        """

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""


class Eraser(Protocol):
    """Erases objects for good: with all their versions. No function may do so; `batchdrop forget` does."""

    def erase(self, prefix: str) -> int:
        """Erase each object whose key starts with `prefix`, in all its versions; return the number of keys.

        Objects that were deleted before, and have old versions, are erased, too.
        """

    def erase_key(self, key: str, version: str = "") -> int:
        """Erase one object: one version of it, or all of them; return 1 if there was any, else 0."""

    def erase_old(self, prefix: str) -> int:
        """Erase the old versions of the objects whose keys start with `prefix`, and those of deleted ones.

        Return the number of keys that had some. The newest versions stay.
        """


class Clock(Protocol):
    """The time, as a port so that tests can control it."""

    def now(self) -> datetime:
        """Return the time, in UTC."""

    def remaining(self) -> float:
        """Return the seconds that this invocation has left."""


class Source(Protocol):
    """An object to read: the upload, or a file that a function wrote."""

    name: str
    """Its name in messages."""

    @property
    def size(self) -> int:
        """Return its size in bytes."""

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield its bytes from offset `start`, in blocks of about 1 MiB."""

    def open(self) -> BinaryIO:
        """Open it for random access, in flat memory."""
