"""Read objects of the bucket as sources: streamed, or in any order, in flat memory."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from batchdrop.errors import UploadRejected
from batchdrop.job.manifest import UploadRecord, file_key
from batchdrop.ports import ObjectChanged, ObjectMissing, ObjectStore

BLOCK = 1024 * 1024
BLOCKS_KEPT = 16  # readers of columns alternate between a few places


class StoredSource:
    """An object that a function wrote. Reading it raises ObjectMissing if it does not exist."""

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        *,
        name: str | None = None,
        etag: str | None = None,
        version: str | None = None,
    ) -> None:
        self.name = name or key
        self._store = store
        self._key = key
        self._etag = etag
        self._version = version

    @property
    def size(self) -> int:
        """Return its bytes."""
        return self._store.size(self._key)

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield its bytes from offset `start`."""
        yield from self._store.stream(self._key, start=start, etag=self._etag, version=self._version)

    def open(self) -> BinaryIO:
        """Open it for reading in any order; memory holds at most BLOCKS_KEPT blocks."""
        return cast("BinaryIO", io.BufferedReader(_RangeFile(self), buffer_size=64 * 1024))

    def read_range(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end` (exclusive)."""
        return self._store.read_range(self._key, start, end, etag=self._etag, version=self._version)


class UploadSource(StoredSource):
    """The upload, or the rows of a retry. Reading it raises UploadRejected if it is not the object of the record."""

    def __init__(self, store: ObjectStore, upload: UploadRecord) -> None:
        key, name = upload.rows_key or upload.key, file_key(upload).filename
        super().__init__(store, key, name=name, etag=upload.etag or None, version=upload.version or None)
        self._bytes = upload.size

    @property
    def size(self) -> int:
        """Return its bytes."""
        return self._bytes

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield its bytes from offset `start`."""
        with self._unchanged():
            yield from super().blocks(start)

    def read_range(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to `end` (exclusive)."""
        with self._unchanged():
            return super().read_range(start, end)

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        try:
            yield
        except ObjectMissing as error:
            message = f"{self._key}: the file was deleted before it was read; drop it again"
            raise UploadRejected(message) from error
        except ObjectChanged as error:
            message = f"{self._key}: the file was replaced before it was read; see the job of the newer upload"
            raise UploadRejected(message) from error


class _RangeFile(io.RawIOBase):
    """A source as a file. Blocks are fetched when they are needed; those used last are kept."""

    def __init__(self, source: StoredSource) -> None:
        self._source = source
        self._size = source.size
        self._at = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # typeshed: any writable buffer
        number, within = divmod(self._at, BLOCK)
        if self._at >= self._size:
            return 0
        part = self._block(number)[within : within + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number in self._kept:
            self._kept.move_to_end(number)
        else:
            start = number * BLOCK
            self._kept[number] = self._source.read_range(start, min(start + BLOCK, self._size))
            if len(self._kept) > BLOCKS_KEPT:
                self._kept.popitem(last=False)
        return self._kept[number]
