"""Folders on this machine as a bucket: the outputs of jobs, and the buckets of runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from batchdrop.ports import Guard, ObjectMissing, Writer

BLOCK = 1024 * 1024
_NEW = ".forgetting"  # a file that is written again; after a crash the next forget writes it again


class FolderFiles:
    """ObjectStore and Eraser in folders, by the prefix of the keys in each. There are no versions."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    @property
    def folders(self) -> list[Path]:
        """Return the folders."""
        return [*self._folders.values()]

    def _path(self, key: str) -> Path:
        for prefix, folder in self._folders.items():
            if key.startswith(prefix):
                return folder / key.removeprefix(prefix)
        raise ObjectMissing(key)

    def _file(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise ObjectMissing(key)
        return path

    def read(self, key: str) -> bytes:
        """Return a file's bytes. Raises ObjectMissing."""
        return self._file(key).read_bytes()

    def size(self, key: str) -> int:
        """Return a file's size. Raises ObjectMissing."""
        return self._file(key).stat().st_size

    def exists(self, key: str) -> bool:
        """Return whether the file exists."""
        try:
            return self._file(key).is_file()
        except ObjectMissing:
            return False

    def stream(
        self,
        key: str,
        *,
        start: int = 0,
        etag: str | None = None,  # noqa: ARG002 - nobody else writes these files
        version: str | None = None,  # noqa: ARG002 - likewise
    ) -> Generator[bytes, None, None]:
        """Yield a file's bytes. Raises ObjectMissing."""
        with self._file(key).open("rb") as file:
            file.seek(start)
            while block := file.read(BLOCK):
                yield block

    def read_range(
        self,
        key: str,
        start: int,
        end: int,
        *,
        etag: str | None = None,  # noqa: ARG002 - likewise
        version: str | None = None,  # noqa: ARG002 - likewise
    ) -> bytes:
        """Return bytes of a file. Raises ObjectMissing."""
        with self._file(key).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a file."""
        with self.writer(key, guard=guard) as file:
            file.write(body)

    @contextmanager
    def writer(self, key: str, *, guard: Guard | None = None) -> Iterator[Writer]:
        """Write a file beside the old one, and then put it in its place."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + _NEW)
        with new.open("wb") as file:
            yield _Target(file.write)
        if guard is not None:
            guard()
        new.replace(path)

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Write the concatenated strips."""
        with self.writer(key, guard=guard) as file:
            for strip in strips:
                file.write(strip if isinstance(strip, bytes) else self.read(strip))

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order."""
        found = (
            f"{own}{path.relative_to(folder).as_posix()}"
            for own, folder in self._folders.items()
            if own.startswith(prefix) or prefix.startswith(own)
            for path in folder.rglob("*")
            if path.is_file() and not path.name.endswith(_NEW)
        )
        yield from sorted(key for key in found if key.startswith(prefix))

    def erase(self, prefix: str) -> int:
        """Delete these files."""
        return sum(self.erase_key(key) for key in [*self.keys(prefix)])

    def erase_key(self, key: str, version: str = "") -> int:  # noqa: ARG002 - there are no versions
        """Delete one file."""
        if not self.exists(key):
            return 0
        self._path(key).unlink(missing_ok=True)
        return 1

    def erase_old(self, prefix: str) -> int:  # noqa: ARG002 - likewise
        """Return 0: a folder keeps no old versions."""
        return 0


class _Target:
    """A file's `write`, which returns nothing here."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write

    def write(self, data: bytes, /) -> None:
        self._write(data)
