"""A bucket in a folder: an ObjectStore for benchmarks, with the same write buffers as for S3."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batchdrop.adapters.aws.s3 import BLOCK
from batchdrop.adapters.aws.s3_multipart import PartBuffer
from batchdrop.ports import Guard, ObjectMissing, Writer


class FolderStore:
    """ObjectStore on disk; it ignores ETags."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> bytes:
        """Return an object. Raises ObjectMissing."""
        return self._path(key).read_bytes()

    def size(self, key: str) -> int:
        """Return an object's size in bytes. Raises ObjectMissing."""
        return self._path(key).stat().st_size

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""
        return (self._folder / key).is_file()

    def stream(
        self,
        key: str,
        *,
        start: int = 0,
        etag: str | None = None,  # noqa: ARG002 - nobody else writes here
        version: str | None = None,  # noqa: ARG002 - likewise
    ) -> Generator[bytes, None, None]:
        """Yield blocks from `start`."""
        with self._path(key).open("rb") as file:
            file.seek(start)
            while block := file.read(BLOCK):
                yield block

    def read_range(
        self,
        key: str,
        start: int,
        end: int,
        *,
        etag: str | None = None,  # noqa: ARG002 - nobody else writes here
        version: str | None = None,  # noqa: ARG002 - likewise
    ) -> bytes:
        """Return the bytes from `start` up to but not including `end`."""
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write an object."""
        with self.writer(key, guard=guard) as writer:
            writer.write(body)

    @contextmanager
    def writer(self, key: str, *, guard: Guard | None = None) -> Iterator[Writer]:
        """Write in parts of the same size as for S3."""
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            parts = PartBuffer(file.write)
            yield parts
            file.write(parts.rest())
        if guard is not None:
            guard()

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Write the concatenated strips."""
        with self.writer(key, guard=guard) as writer:
            for strip in strips:
                for block in [strip] if isinstance(strip, bytes) else self.stream(strip):
                    writer.write(block)

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""
        paths = (path for path in sorted(self._folder.rglob("*")) if path.is_file())
        names = (path.relative_to(self._folder).as_posix() for path in paths)
        return (name for name in names if name.startswith(prefix))

    def _path(self, key: str) -> Path:
        if not self.exists(key):
            raise ObjectMissing(key)
        return self._folder / key
