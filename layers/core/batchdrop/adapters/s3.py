"""The bucket: reads that survive dropped connections, writes that appear whole, flat memory in both."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import botocore.exceptions

from batchdrop.ports import Guard, ObjectChanged, ObjectMissing, Writer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK = 1024 * 1024  # 1 MiB reads beat larger ones in speed and memory
PART = 8 * 1024 * 1024  # sent when so much is there. S3: at least 5 MiB, at most 10,000 parts: objects up to 80 GB
REOPENINGS = 5  # of one download; each goes on where the last one broke

_DROPPED = (
    botocore.exceptions.ReadTimeoutError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
)


class S3ObjectStore:
    """ObjectStore on one S3 bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def read(self, key: str) -> bytes:
        """Return a whole small object. Raises ObjectMissing."""
        with _missing_as_answer(key):
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

    def stream(self, key: str, *, start: int = 0, etag: str | None = None) -> Generator[bytes, None, None]:
        """Yield blocks from `start`; a dropped connection is opened again where it broke.

        Raises ObjectMissing, ObjectChanged, and botocore's error when it breaks too often.
        """
        yield from self._reopening(key, start, None, etag)

    def read_range(self, key: str, start: int, end: int, *, etag: str | None = None) -> bytes:
        """Return the bytes from `start` up to, not with, `end`. Raises ObjectMissing, ObjectChanged."""
        return b"".join(self._reopening(key, start, end, etag))

    def _reopening(self, key: str, start: int, end: int | None, etag: str | None) -> Generator[bytes, None, None]:
        failures = 0
        while True:
            try:
                for block in self._blocks(key, start, end, etag):
                    start += len(block)
                    yield block
            except _DROPPED:
                failures += 1
                if failures > REOPENINGS:
                    raise
            else:
                return

    def write(self, key: str, body: bytes, *, guard: Guard | None = None) -> None:
        """Write a small object. Raises ObjectChanged."""
        conditions = self._conditions(key, guard)
        with _refused_as_answer(key, conditions):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, **conditions)

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with `prefix`, in order, page by page."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            yield from (found["Key"] for found in page.get("Contents", []))

    @contextmanager
    def writer(self, key: str, *, guard: Guard | None = None) -> Iterator[Writer]:
        """Write in parts; an error in the context, or ObjectChanged at its end, leaves nothing behind."""
        upload = _PartedUpload(self._s3, self._bucket, key)
        try:
            yield upload
            conditions = self._conditions(key, guard)
            with _refused_as_answer(key, conditions):
                upload.complete(conditions)
        except BaseException:
            upload.abort()
            raise

    def _conditions(self, key: str, guard: Guard | None) -> dict[str, Any]:
        """Return on which object a guarded write may be put: the one that was there before the guard was asked."""
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

    def _blocks(self, key: str, start: int, end: int | None, etag: str | None) -> Iterator[bytes]:
        conditions: dict[str, Any] = {"IfMatch": etag} if etag else {}
        if start or end is not None:
            conditions["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        try:
            with _missing_as_answer(key):
                body = self._s3.get_object(Bucket=self._bucket, Key=key, **conditions)["Body"]
        except _PastEnd:
            return  # the connection dropped after the last byte
        with body:
            yield from iter(lambda: body.read(BLOCK), b"")


class _PartedUpload:
    """Collects bytes and sends them as parts; an object smaller than a part is one put."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._s3 = client
        self._target: Any = {"Bucket": bucket, "Key": key}
        self._buffer = io.BytesIO()  # its getvalue is no copy: a part is in memory once
        self._upload_id = ""
        self._parts: list[Any] = []

    def write(self, data: bytes, /) -> None:
        self._buffer.write(data)
        if self._buffer.tell() >= PART:
            self._send(self._taken())

    def complete(self, conditions: dict[str, Any]) -> None:
        if not self._upload_id:
            self._s3.put_object(**self._target, Body=self._taken(), **conditions)
            return
        if self._buffer.tell():
            self._send(self._taken())
        parts: Any = {"Parts": self._parts}
        self._s3.complete_multipart_upload(
            **self._target, UploadId=self._upload_id, MultipartUpload=parts, **conditions
        )

    def abort(self) -> None:
        if self._upload_id:
            self._s3.abort_multipart_upload(**self._target, UploadId=self._upload_id)

    def _taken(self) -> bytes:
        buffer, self._buffer = self._buffer, io.BytesIO()
        return buffer.getvalue()

    def _send(self, part: bytes) -> None:
        if not self._upload_id:
            self._upload_id = self._s3.create_multipart_upload(**self._target)["UploadId"]
        number = len(self._parts) + 1
        sent = self._s3.upload_part(**self._target, UploadId=self._upload_id, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class _PastEnd(Exception):  # an answer of the store: `start` is the object's end
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


# Written since; written at this moment; deleted since.
_REFUSED = {HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}


@contextmanager
def _refused_as_answer(key: str, conditions: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if conditions and error.response["ResponseMetadata"]["HTTPStatusCode"] in _REFUSED:
            raise ObjectChanged(key) from error
        raise
