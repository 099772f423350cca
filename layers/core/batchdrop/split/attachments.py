"""Read the files that cells name, and make content blocks of them.

The security boundary: the authors of a recipe and of its rows can read objects under `files/` in this bucket,
and nothing else. Other jobs' rows and answers, and other buckets, cannot get into a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from batchdrop.errors import RowRejected
from batchdrop.ports import ObjectMissing
from batchdrop.recipe.recipe import Attach
from batchdrop.requests.content_block import check_size, content_block, url_block

FILES = "files/"
MAX_KEY_BYTES = 1_024  # S3: a key is at most 1,024 bytes of UTF-8

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class StoredFiles(Protocol):
    """The part of an ObjectStore that attachments need."""

    def size(self, key: str) -> int:
        """Return an object's size in bytes. Raises ObjectMissing."""

    def read_range(self, key: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to but not including `end`. Raises ObjectMissing."""


class Attachments:
    """Reads the files that cells name. Thread-safe.

    `claim` is called with the size of each file before it is read, and returns when there is room for it.
    """

    def __init__(self, store: StoredFiles, bucket: str, *, claim: Callable[[int], None] = lambda _bytes: None) -> None:
        self._store = store
        self._bucket = bucket
        self._claim = claim

    def __call__(self, cell: str, attach: Attach, /) -> dict[str, Any]:
        """Return the content block of a cell. Raises RowRejected."""
        named = cell.strip()
        try:
            scheme = _SCHEME.match(named)
            if scheme is not None and scheme[1].lower() != "s3":
                return url_block(scheme[0].lower() + named[scheme.end() :], attach.kind)
            return self._stored(files_key(named, self._bucket), attach)
        except RowRejected as rejected:
            reason = f"column '{attach.column}': {rejected}"
            raise RowRejected(reason) from rejected

    def _stored(self, key: str, attach: Attach) -> dict[str, Any]:
        try:
            body = self._read(key, attach)
            return content_block(body, name=key.removeprefix(FILES), kind=attach.kind)
        except ObjectMissing as missing:
            reason = f"object {key} does not exist; put the file there, or fix the cell"
            raise RowRejected(reason) from missing
        except RowRejected as rejected:
            reason = f"{key}: {rejected}"
            raise RowRejected(reason) from rejected

    def _read(self, key: str, attach: Attach) -> bytes:
        size = self._store.size(key)
        check_size(size, attach.kind)
        self._claim(size)
        return self._store.read_range(key, 0, size)  # never more than was claimed, even if the object has grown


def files_key(named: str, bucket: str) -> str:
    """Return the key under `files/` that a cell names. Raises RowRejected for other places and for a blank cell.

    `a.pdf`, `files/a.pdf` and `s3://<bucket>/files/a.pdf` are the same object.
    """
    fix = f"put the file under {FILES} in the bucket, and write its name into the cell"
    if not named:
        reason = f"the cell is blank; {fix}, or remove the row"
        raise RowRejected(reason)
    key = _key(named, bucket, fix)
    if any(part in {"", ".", ".."} for part in key.split("/")) or not key.isprintable():
        reason = f"'.', '..', empty folder names and control characters are not allowed in a file name; {fix}"
        raise RowRejected(reason)
    if len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES:
        reason = f"the cell is too long for a file name; {fix}"
        raise RowRejected(reason)
    return key


def _key(named: str, bucket: str, fix: str) -> str:
    scheme = _SCHEME.match(named)
    if scheme is None:
        return named if named.startswith(FILES) else FILES + named
    owner, _, key = named[scheme.end() :].partition("/")
    if owner != bucket:
        reason = f"it is in another bucket, and batchdrop reads only its own; {fix}"
        raise RowRejected(reason)
    if not key.startswith(FILES):
        reason = f"only files under {FILES} in the bucket can be attached; {fix}"
        raise RowRejected(reason)
    return key
