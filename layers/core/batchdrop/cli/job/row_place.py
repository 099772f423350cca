"""Find a row of a job: the version that sent it last, and its place there. Rows keep the numbers of the user's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import msgspec

from batchdrop.answers.columns import ROW
from batchdrop.cli.job.jobs import NoSuchJobError
from batchdrop.job.job_files import read_manifest
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.versions import first_version, version_of, with_version
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.requests.row import StoredRow


class _Numbered(msgspec.Struct):
    row: int = msgspec.field(name=ROW, default=0)


_ROW = msgspec.json.Decoder(StoredRow)
_NUMBER = msgspec.json.Decoder(_Numbered)


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a version of a job has a row: `section` is its slice of the version's own file, `index` its place in it.

    `position` counts the rows of the version's own file, from 1. For a retry, `numbers` has the number of each of them
    in the user's file.
    """

    manifest: Manifest
    section: ShardItem
    index: int
    position: int
    numbers: list[int] = field(default_factory=list)

    def number_of(self, position: int) -> int:
        """Return the number in the user's file of the row at this position."""
        return self.numbers[position - 1] if self.numbers else position


def place_of_row(store: ObjectStore, job_id: str, row: int) -> RowPlace:
    """Return where the newest version up to `job_id` has the row. Raises NoSuchJobError if no version has it."""
    for version in range(version_of(job_id), 1, -1):
        retry = read_manifest(store, with_version(job_id, version))
        numbers = [] if retry is None else [*_numbers(store, retry)]
        if retry is not None and row in numbers:
            return _place(retry, numbers.index(row) + 1, numbers)
    first = read_manifest(store, first_version(job_id))
    if first is None:
        raise NoSuchJobError(f"job {job_id} has no rows; see why with `batchdrop show {job_id}`")
    return _place(first, row, [])


def stored_lines(store: ObjectStore, key: str) -> Iterator[bytes]:
    """Yield the lines of a file of the job; none if it is gone."""
    try:
        with closing(store.stream(key)) as blocks:
            yield from whole_lines(blocks)
    except ObjectMissing:
        return


def _numbers(store: ObjectStore, retry: Manifest) -> Iterator[int]:
    """Yield the numbers of the rows that a retry sent."""
    keys = JobKeys(retry.upload.job_id)
    for item in retry.sections:
        for line in stored_lines(store, keys.rows(item.shard)):
            yield _NUMBER.decode(_ROW.decode(line).raw).row


def _place(manifest: Manifest, position: int, numbers: list[int]) -> RowPlace:
    first = 1
    for item in manifest.sections:
        if first <= position < first + item.rows:
            return RowPlace(manifest, item, position - first, position, numbers)
        first += item.rows
    so_far = "" if manifest.cursor is None else " so far"
    raise NoSuchJobError(
        f"job {manifest.upload.job_id} has {manifest.rows:,} rows{so_far}, so row {position:,} does not exist"
    )
