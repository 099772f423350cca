"""The folder in which a durable embedded stack keeps its state: the bucket as ministack stores it, and the ledger.

ministack writes each object at once, to `bucket/<account>/<bucket>/<key>`, and its metadata to a file beside it, named
`….meta.json`. Versions that were replaced are in `bucket/.versions/`. A kill loses no finished write. It can fall
between the two files of one. `prepare` undoes such a write, which had no response yet.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchdrop.local.child_environment import ACCOUNT
from batchdrop.local.package import ARTIFACTS_BUCKET

_META = ".meta.json"
_HALF_WRITTEN = ".tmp"
_VERSIONS = ".versions"


@dataclass(frozen=True)
class StateFolder:
    """One stack's state. Only one stack at a time may use it."""

    path: Path

    @property
    def bucket_data(self) -> Path:
        """Return ministack's folder of objects."""
        return self.path / "bucket"

    @property
    def ledger_file(self) -> Path:
        """Return the SQLite file of the ledger."""
        return self.path / "ledger.sqlite"

    def prepare(self) -> None:
        """Create the folder for its user alone, and repair what a kill left behind. No stack may run in it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for root in (self.bucket_data, self.bucket_data / _VERSIONS):
            # The next stack has its own code, and CloudFormation must find no bucket in its way.
            shutil.rmtree(root / ACCOUNT / ARTIFACTS_BUCKET, ignore_errors=True)
        for bucket in self._buckets():
            _repair(bucket, self.bucket_data / _VERSIONS / ACCOUNT / bucket.name)

    def keys(self, prefix: str, name: str) -> list[str]:
        """Return the keys `<prefix><one folder>/<name>` that exist, without a running stack."""
        found = (path for bucket in self._buckets() for path in bucket.glob(f"{prefix}*/{name}"))
        return sorted("/".join(path.parts[-3:]) for path in found)

    def read(self, key: str) -> bytes | None:
        """Return an object without a running stack; None if it does not exist."""
        for bucket in self._buckets():
            path = bucket / key
            if path.is_file():
                return path.read_bytes()
        return None

    def _buckets(self) -> list[Path]:
        account = self.bucket_data / ACCOUNT
        folders = account.iterdir() if account.is_dir() else ()
        return sorted(path for path in folders if path.is_dir() and path.name != ARTIFACTS_BUCKET)


def _repair(bucket: Path, versions: Path) -> None:
    """Undo the writes that a kill cut off: an object that is newer than its metadata, or has none."""
    for path in list(_files(bucket)):
        if path.name.endswith(_HALF_WRITTEN):
            path.unlink()
            continue
        meta = path.with_name(path.name + _META)
        if not meta.is_file():
            path.unlink()
        elif path.stat().st_mtime_ns > meta.stat().st_mtime_ns:
            _undo(path, meta, versions, path.relative_to(bucket))


def _files(bucket: Path) -> Iterator[Path]:
    return (path for path in bucket.rglob("*") if path.is_file() and not path.name.endswith(_META))


def _undo(path: Path, meta: Path, versions: Path, key: Path) -> None:
    """Put back the version that the metadata describes. ministack keeps it before it writes the new one."""
    version = json.loads(meta.read_bytes()).get("version_id") or "null"
    kept = versions / version / key
    if not kept.is_file():
        # Without versions, nothing tells what was there. ministack then describes the object by its bytes.
        meta.unlink()
        return
    copy = path.with_name(path.name + _HALF_WRITTEN)
    shutil.copyfile(kept, copy)
    written = meta.stat().st_mtime_ns
    os.utime(copy, ns=(written, written))
    copy.replace(path)
