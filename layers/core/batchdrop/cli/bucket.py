"""The bucket as commands see it: keys with their times, small files, many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.ports import ObjectMissing

SIDE_BY_SIDE = 16  # reads at a time: a read takes 20 to 50 ms, nearly all of it waiting

One = TypeVar("One")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object, or a folder of them: `key` ends in a slash then, and there is no time."""

    key: str
    size: int = 0
    modified: datetime | None = None


class Files(Protocol):
    """What a look at a job needs of the bucket."""

    def read(self, key: str) -> bytes:
        """Return a whole small object. Raises ObjectMissing."""

    def listed(self, prefix: str) -> Iterator[Stored]:
        """Yield what lies directly under a prefix, folders as one each, in order."""


class JobBucket(S3ObjectStore):
    """Files on an S3 bucket."""

    def listed(self, prefix: str) -> Iterator[Stored]:
        """Yield what lies directly under a prefix, page by page."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            found: list[Any] = page.get("Contents", [])
            yield from (Stored(one["Key"], one["Size"], one["LastModified"]) for one in found)
            yield from (Stored(folder["Prefix"]) for folder in page.get("CommonPrefixes", []))


def read_if_there(files: Files, key: str) -> bytes | None:
    """Return a small object; None if there is none."""
    try:
        return files.read(key)
    except ObjectMissing:
        return None


def side_by_side(make: Callable[[One], Made], all_of: Iterable[One]) -> list[Made]:
    """Return what `make` makes of each, in order; they wait for the network together."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="look") as pool:
        return list(pool.map(make, all_of))
