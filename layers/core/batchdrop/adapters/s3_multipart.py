"""Multipart uploads to S3: of bytes as they are written, and of pieces that are sent or copied."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 8 * 1024 * 1024  # sent when so much is there. S3: at least 5 MiB, at most 10,000 parts: objects up to 80 GB


class Stored(NamedTuple):
    """An object as it was when it was looked at."""

    key: str
    size: int
    etag: str


class MultipartUpload:
    """One multipart upload, begun. Its parts may be sent in any order, and copied by several threads."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._s3 = client
        self._bucket = bucket
        upload_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        self._upload: Any = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
        self._etags: dict[int, str] = {}

    def send(self, number: int, body: bytes) -> None:
        """Send a part; they are numbered from 1."""
        sent = self._s3.upload_part(**self._upload, PartNumber=number, Body=body)
        self._etags[number] = sent["ETag"]

    def copy(self, number: int, source: Stored, start: int, end: int) -> None:
        """Let S3 copy a part out of an object, if it is still the one that was looked at."""
        # S3 takes no range of an object that is smaller than a part.
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
        """Let the object appear."""
        parts: Any = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())]}
        self._s3.complete_multipart_upload(**self._upload, MultipartUpload=parts, **conditions)

    def abort(self) -> None:
        """Drop the parts, which would be paid for."""
        self._s3.abort_multipart_upload(**self._upload)


class PartedWriter:
    """Collects bytes and sends them as parts; an object smaller than a part is one put."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._s3 = client
        self._target: Any = {"Bucket": bucket, "Key": key}
        self._buffer = io.BytesIO()  # its getvalue is no copy: a part is in memory once
        self._upload: MultipartUpload | None = None
        self._sent = 0

    def write(self, data: bytes, /) -> None:
        """Append bytes."""
        self._buffer.write(data)
        if self._buffer.tell() >= PART:
            self._send()

    def complete(self, conditions: dict[str, Any]) -> None:
        """Let the object appear."""
        if self._upload is None:
            self._s3.put_object(**self._target, Body=self._taken(), **conditions)
            return
        if self._buffer.tell():
            self._send()
        self._upload.complete(conditions)

    def abort(self) -> None:
        """Drop what was sent."""
        if self._upload is not None:
            self._upload.abort()

    def _taken(self) -> bytes:
        buffer, self._buffer = self._buffer, io.BytesIO()
        return buffer.getvalue()

    def _send(self) -> None:
        if self._upload is None:
            self._upload = MultipartUpload(self._s3, self._target["Bucket"], self._target["Key"])
        self._sent += 1
        self._upload.send(self._sent, self._taken())
