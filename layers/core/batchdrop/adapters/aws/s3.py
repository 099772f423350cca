"""The bucket. Reads survive dropped connections, writes appear whole, and memory stays flat in both."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.exceptions

from batchdrop.adapters.aws.faults import UNREACHABLE, stream_faults, unreachable
from batchdrop.adapters.aws.s3_multipart import MultipartUpload, PartedWriter, Stored
from batchdrop.adapters.aws.s3_stitching import Piece, Strip, pieces_of
from batchdrop.ports import Guard, ObjectChanged, ObjectMissing, Writer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK = 1024 * 1024  # 1 MiB reads beat larger ones in speed and memory
COPIES_AT_ONCE = 8  # S3 runs them in parallel, and boto3 keeps ten connections
REOPENINGS = 5  # of one download; each continues where the last one broke

Upload = TypeVar("Upload", MultipartUpload, PartedWriter)


class S3ObjectStore:
    """ObjectStore on one S3 bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def read(self, key: str) -> bytes:
        """Return a whole small object. Raises ObjectMissing."""
        with _missing_as_answer(key), stream_faults():
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def size(self, key: str) -> int:
        """Return an object's bytes. Raises ObjectMissing."""
        with _missing_as_answer(key):
            return self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"]

    def exists(self, key: str) -> bool:
        """Tell whether there is an object at that key."""
        try:
            self.size(key)
        except ObjectMissing:
            return False
        return True

    def stream(
        self, key: str, *, start: int = 0, etag: str | None = None, version: str | None = None
    ) -> Generator[bytes, None, None]:
        """Yield blocks from `start`. Reopen a dropped connection where it broke.

        Raises ObjectMissing, ObjectChanged, and AwsUnavailable when it breaks too often.
        """
        yield from self._reopening(key, start, None, _pinned(etag, version))

    def read_range(
        self, key: str, start: int, end: int, *, etag: str | None = None, version: str | None = None
    ) -> bytes:
        """Return the bytes from `start` to `end` (exclusive). Raises as `stream`."""
        return b"".join(self._reopening(key, start, end, _pinned(etag, version)))

    def _reopening(self, key: str, start: int, end: int | None, pinned: dict[str, str]) -> Generator[bytes, None, None]:
        failures = 0
        while True:
            try:
                for block in self._blocks(key, start, end, pinned):
                    start += len(block)
                    yield block
            except UNREACHABLE as error:
                failures += 1
                if failures > REOPENINGS:
                    raise unreachable(error) from error
            else:
                return

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a small object. Raises ObjectChanged."""
        conditions = self._conditions(key, guard)
        with _refused_as_answer(key, conditions):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, **conditions)

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order, page by page."""
        return (found.key for found in self._listed(prefix))

    @contextmanager
    def writer(self, key: str, *, guard: Guard | None = None) -> Iterator[Writer]:
        """Write in parts. An error in the context, or ObjectChanged at its end, leaves nothing behind."""
        with self._appearing(PartedWriter(self._s3, self._bucket, key), key, guard) as upload:
            yield upload

    def stitch(self, key: str, strips: Iterable[bytes | str], *, guard: Guard | None = None) -> None:
        """Send strips that are small or in memory, and let S3 copy the rest. A small object is one put."""
        found = self._looked_at(list(strips))
        pieces = pieces_of([Strip(_size(strip), isinstance(strip, Stored)) for strip in found])
        gathered = {number: piece for number, piece in enumerate(pieces, start=1) if not piece.is_copied}
        copied = {number: piece for number, piece in enumerate(pieces, start=1) if piece.is_copied}
        if len(gathered) <= 1 and not copied:
            self.write(key, b"".join(self._gathered(piece, found) for piece in pieces), guard=guard)
            return
        with self._appearing(MultipartUpload(self._s3, self._bucket, key), key, guard) as upload:
            for number, piece in gathered.items():
                upload.send(number, self._gathered(piece, found))
            with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:  # after an error no copy starts, and running ones end
                list(pool.map(lambda number: _copy(upload, number, copied[number], found), copied))

    def _looked_at(self, strips: list[bytes | str]) -> list[bytes | Stored]:
        """Return the strips with their sizes and ETags. One list request covers a thousand of them."""
        keys = {strip for strip in strips if isinstance(strip, str)}
        prefix = os.path.commonprefix([*keys])  # noqa: RUF071 - these are keys, not paths
        stored = {one.key: one for one in self._listed(prefix) if one.key in keys} if keys else {}
        if missing := keys - stored.keys():
            raise ObjectMissing(min(missing))
        return [strip if isinstance(strip, bytes) else stored[strip] for strip in strips]

    def _listed(self, prefix: str) -> Iterator[Stored]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            yield from (Stored(found["Key"], found["Size"], found["ETag"]) for found in page.get("Contents", []))

    def _gathered(self, piece: Piece, strips: list[bytes | Stored]) -> bytes:
        return b"".join(self._bytes_of(strips[number], start, end) for number, start, end in piece.spans)

    def _bytes_of(self, strip: bytes | Stored, start: int, end: int) -> bytes:
        return strip[start:end] if isinstance(strip, bytes) else self.read_range(strip.key, start, end, etag=strip.etag)

    @contextmanager
    def _appearing(self, upload: Upload, key: str, guard: Guard | None) -> Iterator[Upload]:
        """Complete an upload at the end if the guard allows it. Abort it at any error."""
        try:
            yield upload
            conditions = self._conditions(key, guard)
            with _refused_as_answer(key, conditions):
                upload.complete(conditions)
        except BaseException:
            upload.abort()
            raise

    def _conditions(self, key: str, guard: Guard | None) -> dict[str, Any]:
        """Return the conditions of a guarded write: it replaces only the object that stood before the guard ran."""
        if guard is None:
            return {}
        seen = self._etag(key)
        guard()
        return {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen}

    def _etag(self, key: str) -> str | None:
        try:
            with _missing_as_answer(key):
                return self._s3.head_object(Bucket=self._bucket, Key=key)["ETag"]
        except ObjectMissing:
            return None

    def _blocks(self, key: str, start: int, end: int | None, pinned: dict[str, str]) -> Iterator[bytes]:
        conditions: dict[str, Any] = dict(pinned)
        if start or end is not None:
            conditions["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        try:
            with _missing_as_answer(key):
                response = self._s3.get_object(Bucket=self._bucket, Key=key, **conditions)
        except _PastEnd:
            return  # the connection dropped after the last byte
        body = response["Body"]  # its __enter__ returns the raw stream
        with body:
            blocks = iter(lambda: body.read(BLOCK), b"")
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            # Not 206: ministack ignores the range of a version.
            is_whole = {"Range", "VersionId"} <= conditions.keys() and status == HTTPStatus.OK
            yield from _within(blocks, start, end) if is_whole else blocks


def _within(blocks: Iterable[bytes], start: int, end: int | None) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end` of a whole object."""
    at = 0
    for block in blocks:
        wanted = block[max(0, start - at) : None if end is None else max(0, end - at)]
        at += len(block)
        if wanted:
            yield wanted
        if end is not None and at >= end:
            return


def _pinned(etag: str | None, version: str | None) -> dict[str, str]:
    """Return what makes S3 answer with one version of an object only."""
    return ({"IfMatch": etag} if etag else {}) | ({"VersionId": version} if version else {})


def _copy(upload: MultipartUpload, number: int, piece: Piece, strips: list[bytes | Stored]) -> None:
    [(strip, start, end)] = piece.spans
    source = strips[strip]
    assert isinstance(source, Stored)  # only stored strips are copied
    with _missing_as_answer(source.key):
        upload.copy(number, source, start, end)


def _size(strip: bytes | Stored) -> int:
    return len(strip) if isinstance(strip, bytes) else strip.size


class _PastEnd(Exception):  # not a fault: `start` is the object's end
    pass


@contextmanager
def _missing_as_answer(key: str) -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.ClientError as error:
        match error.response["ResponseMetadata"]["HTTPStatusCode"]:
            case HTTPStatus.NOT_FOUND:
                raise ObjectMissing(key) from error
            case HTTPStatus.PRECONDITION_FAILED:
                raise ObjectChanged(key) from error
            case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise _PastEnd from error
            case _:
                raise


# The object was written since, is being written now, or was deleted since.
_REFUSED = {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}


@contextmanager
def _refused_as_answer(key: str, conditions: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if conditions and error.response["ResponseMetadata"]["HTTPStatusCode"] in _REFUSED:
            raise ObjectChanged(key) from error
        raise
