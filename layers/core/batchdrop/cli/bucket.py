"""The bucket for commands: listings, small files, and concurrent reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.ports import ObjectMissing

CONCURRENT_READS = 16  # reads at a time: a read takes 20 to 50 ms, most of it network time

One = TypeVar("One")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, or a folder: a folder's `key` ends in a slash, and it has no time."""

    key: str
    size: int = 0
    modified: datetime | None = None


class Files(Protocol):
    """The part of the bucket that a view of a job needs."""

    def read(self, key: str) -> bytes:
        """Return a small object. Raises ObjectMissing."""

    def listed(self, prefix: str) -> Iterator[Stored]:
        """Yield the objects and folders directly under a prefix, in order."""


class JobBucket(S3ObjectStore):
    """Files in an S3 bucket."""

    def listed(self, prefix: str) -> Iterator[Stored]:
        """Yield the objects and folders directly under a prefix, page by page."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            found: list[Any] = page.get("Contents", [])
            yield from (Stored(one["Key"], one["Size"], one["LastModified"]) for one in found)
            yield from (Stored(folder["Prefix"]) for folder in page.get("CommonPrefixes", []))


def read_if_there(files: Files, key: str) -> bytes | None:
    """Return a small object; None if it is missing."""
    try:
        return files.read(key)
    except ObjectMissing:
        return None


def concurrently(make: Callable[[One], Made], all_of: Iterable[One]) -> list[Made]:
    """Return `make` of each item, in order; the calls run concurrently."""
    with ThreadPoolExecutor(CONCURRENT_READS, thread_name_prefix="look") as pool:
        return list(pool.map(make, all_of))
