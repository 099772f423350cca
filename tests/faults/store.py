"""A bucket in a dictionary. Each request may crash, stall or be refused, also in the middle of a write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from batchdrop.adapters.aws.faults import translated
from batchdrop.adapters.aws.s3_multipart import Stored
from batchdrop.ports import Guard, ObjectChanged, ObjectMissing, Writer
from tests.faults.storm import WRITE_IN_FLIGHT, Storm

T = TypeVar("T")

BLOCK = 300  # bytes: so small that lines and rows are cut
_ANYTHING = object()
CRASH_IN_WRITE = 0.2  # part of the crash rate that a piece of a large write has, for there are many


class MemoryStore:
    """ObjectStore in memory, as S3ObjectStore uses S3: an object appears whole, when its writer has ended well."""

    def __init__(self, storm: Storm) -> None:
        self.objects: dict[str, bytes] = {}
        self._storm = storm

    def read(self, key: str) -> bytes:
        """Return an object. Raises ObjectMissing."""
        return self._storm.call(
            f"read {_short(key)}", lambda: self._unless_slow_down("GetObject", lambda: self._get(key))
        )

    def size(self, key: str) -> int:
        """Return an object's bytes. Raises ObjectMissing."""
        return self._storm.call(f"size of {_short(key)}", lambda: len(self._get(key)))

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin so."""
        found = self._storm.call(f"list {_short(prefix)}", lambda: self._listed(prefix))
        yield from found

    def exists(self, key: str) -> bool:
        """Tell whether there is an object at that key."""
        return self._storm.call(f"look for {_short(key)}", lambda: key in self.objects)

    def stream(
        self, key: str, *, start: int = 0, etag: str | None = None, version: str | None = None
    ) -> Generator[bytes, None, None]:
        """Yield blocks from `start`. Raises ObjectMissing, ObjectChanged."""
        body = self._storm.call(f"open {_short(key)}", lambda: self._get(key))
        if etag and etag.strip('"') != etag_of(body):
            raise ObjectChanged(key)
        for offset in range(start, len(body), BLOCK):
            yield body[offset : offset + BLOCK]

    def read_range(
        self, key: str, start: int, end: int, *, etag: str | None = None, version: str | None = None
    ) -> bytes:
        """Return bytes of an object. Raises ObjectMissing, ObjectChanged."""
        body = self._storm.call(f"read of {_short(key)}", lambda: self._get(key))
        if etag and etag.strip('"') != etag_of(body):
            raise ObjectChanged(key)
        return body[start:end]

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write an object. Raises ObjectChanged."""
        name = f"write {_short(key)}"
        seen = None if guard is None else self._storm.call(f"head of {_short(key)}", lambda: self.objects.get(key))
        if guard is not None:
            guard()

        def put() -> None:
            self._put(key, body, _ANYTHING if guard is None else seen)

        self._storm.call(name, partial(self._unless_slow_down, "PutObject", put), in_flight=WRITE_IN_FLIGHT)

    @contextmanager
    def writer(self, key: str, *, guard: Guard | None = None) -> Iterator[Writer]:
        """Collect pieces; the object appears when the context ends without an error."""
        pieces = _Pieces(self._storm, _short(key))
        yield pieces
        self.write(key, b"".join(pieces.written), guard=guard)

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Look at all strips, then copy one by one. Raises ObjectMissing, ObjectChanged."""
        seen = [strip if isinstance(strip, bytes) else self._look_at(strip) for strip in strips]
        pieces = _Pieces(self._storm, _short(key))
        for strip in seen:
            pieces.write(
                strip if isinstance(strip, bytes) else self.read_range(strip.key, 0, strip.size, etag=strip.etag)
            )
        self.write(key, b"".join(pieces.written), guard=guard)

    def _look_at(self, key: str) -> Stored:
        body = self._storm.call(f"look at {_short(key)}", lambda: self._get(key))
        return Stored(key, len(body), etag_of(body))

    def _listed(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def _get(self, key: str) -> bytes:
        if key not in self.objects:
            raise ObjectMissing(key)
        return self.objects[key]

    def _put(self, key: str, body: bytes, over: object) -> None:
        """Put an object in the place of what it is to replace. Raises ObjectChanged."""
        if over is not _ANYTHING and self.objects.get(key) != over:
            raise ObjectChanged(key)
        self.objects[key] = bytes(body)

    def _unless_slow_down(self, operation: str, effect: Callable[[], T]) -> T:
        if self._storm.strikes(self._storm.rates.slow_down, "S3 SlowDown"):
            error = {"Code": "SlowDown", "Message": "Please reduce your request rate."}
            answer: Any = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise translated(ClientError(answer, operation))
        return effect()


class _Pieces:
    def __init__(self, storm: Storm, name: str) -> None:
        self._storm = storm
        self._name = name
        self.written: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self._storm.may_crash(f"in the middle of writing {self._name}", CRASH_IN_WRITE)
        self.written.append(bytes(data))


def etag_of(body: bytes) -> str:
    """Return the ETag that S3 gives a plain put."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _short(key: str) -> str:
    """Return a key without the job's id, for people to read."""
    return "/".join(key.split("/")[2:]) if key.startswith("jobs/") else key
