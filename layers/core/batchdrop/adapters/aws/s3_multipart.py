"""Multipart uploads to S3, of bytes as they are written, and of pieces that are sent or copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 8 * 1024 * 1024  # bytes of a part. S3: at least 5 MiB, at most 10,000 parts, so objects up to 80 GB

SMALL = 256 * 1024  # a larger buffer gets a part's size at once: growing step by step would hold two of them


class Stored(NamedTuple):
    """An object at the time of its listing."""

    key: str
    size: int
    etag: str


class MultipartUpload:
    """One started multipart upload. Its parts may be sent in any order, and copied by several threads."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._s3 = client
        self._bucket = bucket
        upload_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        self._upload: Any = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
        self._etags: dict[int, str] = {}

    def send(self, number: int, body: Any) -> None:
        """Send a part, numbered from 1: bytes, or a bytearray, which boto3 accepts although its types do not."""
        sent = self._s3.upload_part(**self._upload, PartNumber=number, Body=body)
        self._etags[number] = sent["ETag"]

    def copy(self, number: int, source: Stored, start: int, end: int) -> None:
        """Have S3 copy a part out of an object, if the object has not changed since its listing."""
        # S3 accepts no range of an object that is smaller than a part.
        taken: Any = {} if end - start == source.size else {"CopySourceRange": f"bytes={start}-{end - 1}"}
        copied = self._s3.upload_part_copy(
            **self._upload,
            **taken,
            PartNumber=number,
            CopySource={"Bucket": self._bucket, "Key": source.key},
            CopySourceIfMatch=source.etag,
        )
        self._etags[number] = copied["CopyPartResult"]["ETag"]

    def complete(self, conditions: dict[str, Any]) -> None:
        """Make the object appear."""
        parts: Any = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())]}
        self._s3.complete_multipart_upload(**self._upload, MultipartUpload=parts, **conditions)

    def abort(self) -> None:
        """Drop the parts, because S3 bills them."""
        self._s3.abort_multipart_upload(**self._upload)


class PartBuffer:
    """Cuts bytes into parts of `size` bytes. One buffer serves all parts, and grows no larger than one part.

    A new buffer for each part would take longer than filling it, because its memory is mapped page by page.
    """

    def __init__(self, send: Callable[[bytearray], object], *, size: int = PART) -> None:
        self._send = send  # it must not keep the part after it returns
        self._size = size
        self._buffer = bytearray()
        self._filled = 0

    def write(self, data: bytes) -> None:
        """Append bytes and send each full part."""
        left = memoryview(data)
        while left:
            taken = left[: self._size - self._filled]
            end = self._filled + len(taken)
            if end > max(len(self._buffer), SMALL):
                self._buffer, small = bytearray(self._size), self._buffer
                self._buffer[: len(small)] = small
            self._buffer[self._filled : end] = taken
            self._filled = end
            left = left[len(taken) :]
            if self._filled == self._size:
                self._send(self._buffer)
                self._filled = 0

    def rest(self) -> bytearray:
        """Return the bytes that are not sent yet, and end the buffer."""
        del self._buffer[self._filled :]
        return self._buffer


class PartedWriter:
    """Collects bytes and sends them as parts. An object smaller than a part is one put."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._s3 = client
        self._target: Any = {"Bucket": bucket, "Key": key}
        self._buffer = PartBuffer(self._send)
        self._upload: MultipartUpload | None = None
        self._sent = 0
        self.write = self._buffer.write

    def complete(self, conditions: dict[str, Any]) -> None:
        """Make the object appear."""
        rest: Any = self._buffer.rest()
        if self._upload is None:
            self._s3.put_object(**self._target, Body=rest, **conditions)
            return
        if rest:
            self._send(rest)
        self._upload.complete(conditions)

    def abort(self) -> None:
        """Drop the parts that were sent."""
        if self._upload is not None:
            self._upload.abort()

    def _send(self, part: bytearray) -> None:
        if self._upload is None:
            self._upload = MultipartUpload(self._s3, self._target["Bucket"], self._target["Key"])
        self._sent += 1
        self._upload.send(self._sent, part)
