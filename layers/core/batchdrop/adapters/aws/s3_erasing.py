"""Erase objects of a bucket for good: S3 keeps the versions of what is deleted or replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from batchdrop.errors import NotErased

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_AT_ONCE = 1_000  # S3: keys in one DeleteObjects request


class S3Eraser:
    """Eraser of one S3 bucket, with or without versions."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._s3 = client
        self._bucket = bucket

    def erase(self, prefix: str) -> int:
        """Erase all versions of these objects. Raises NotErased if S3 refuses one."""
        return self._erase(prefix, is_wanted=lambda _: True)

    def erase_key(self, key: str, version: str = "") -> int:
        """Erase one version of an object, or all. Raises NotErased if S3 refuses one."""
        return self._erase(key, is_wanted=lambda one: one["Key"] == key and version in {"", one["VersionId"]})

    def erase_old(self, prefix: str) -> int:
        """Erase all versions but the newest; of a deleted object all. Raises NotErased if S3 refuses one."""
        return self._erase(prefix, is_wanted=lambda version: "Size" not in version or not version["IsLatest"])

    def _erase(self, prefix: str, *, is_wanted: Callable[[dict[str, Any]], bool]) -> int:
        keys: set[str] = set()
        wanted = (one for one in self._versions(prefix) if is_wanted(one))
        while some := list(islice(wanted, MOST_AT_ONCE)):
            objects: Any = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in some]
            deleted = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
            for refused in deleted.get("Errors", []):
                message = (
                    f"s3://{self._bucket}/{refused.get('Key')}: S3 does not delete this version "
                    f"({refused.get('Code')}: {refused.get('Message')}). Allow s3:DeleteObject and "
                    "s3:DeleteObjectVersion, or wait until its Object Lock ends; then run the same command again"
                )
                raise NotErased(message)
            keys.update(one["Key"] for one in some)
        return len(keys)

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield versions and delete markers. A bucket without versions has one version of each object, `null`."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            found: Any = page
            yield from found.get("Versions", [])
            yield from found.get("DeleteMarkers", [])
