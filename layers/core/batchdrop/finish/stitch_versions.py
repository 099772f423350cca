"""Stitch a later version of a job: the rows of the versions before it, and those that were sent again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from functools import partial
from itertools import chain

import msgspec

from batchdrop.answers.columns import ROW
from batchdrop.answers.outcome import PERHAPS_PAID, Outcome
from batchdrop.errors import InvariantBroken
from batchdrop.finish.join_shard import JoinedRows, write_part
from batchdrop.finish.stitch_job import JobStitch
from batchdrop.job.job_files import formats_of, read_manifest
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Formats, Ledger
from batchdrop.job.remembering import AnswersOf
from batchdrop.job.upload import results_prefix
from batchdrop.job.versions import first_version, version_of, with_version
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.report.summary import Fault
from batchdrop.report.tally import Tally


class _Numbered(msgspec.Struct):
    row: int = msgspec.field(name=ROW, default=0)


class _Faults(msgspec.Struct):
    faults: list[Fault] = []


class RetriedRows:
    """The outcomes of the rows that one version sent again, read once, in the order of their numbers."""

    def __init__(self, stitch: JobStitch, shards: Sequence[ShardItem]) -> None:
        self._shards = [stitch.rows(item) for item in shards]
        self._number = msgspec.json.Decoder(_Numbered)
        self._rest: Iterator[tuple[int, Outcome]] = self._numbered()
        self._next = next(self._rest, None)

    def close(self) -> None:
        """Close the answers' files."""
        for shard in self._shards:
            shard.close()

    def has_up_to(self, last: int) -> bool:
        """Return whether one of the next rows has a number of at most `last`."""
        return self._next is not None and self._next[0] <= last

    def up_to(self, last: int) -> dict[int, Outcome]:
        """Return the next rows, by number, as far as `last`."""
        found = {}
        while self._next is not None and self._next[0] <= last:
            number, found[self._next[0]] = self._next
            self._next = next(self._rest, None)
            if self._next is not None and self._next[0] <= number:
                message = f"a retry has row {self._next[0]} after row {number}"
                raise InvariantBroken(message)
        return found

    def _numbered(self) -> Iterator[tuple[int, Outcome]]:
        for rows, outcomes in chain.from_iterable(self._shards):
            for row, outcome in zip(rows, outcomes, strict=True):
                yield self._number.decode(row.raw).row, outcome


class VersionStitch(JobStitch):
    """Stitches the first version's parts. A shard with rows that were sent again is joined once more.

    A row keeps its paid answer if it was sent again without one. `own` is the tally of this version's own requests.
    """

    def __init__(
        self,
        version: Manifest,
        faults: list[Fault],
        store: ObjectStore,
        ledger: Ledger,
        formats: Formats,
        began: datetime,
        *,
        answers: AnswersOf | None = None,
    ) -> None:
        upload = version.upload
        first = _finished(store, first_version(upload.job_id))
        if first is None:
            message = f"the files of job {first_version(upload.job_id)} are gone, so its next version cannot be written"
            raise InvariantBroken(message)
        known = faults_of(first, store)
        super().__init__(first, known, store, ledger, formats_of(first, formats), began)
        self.first, self.formats = first, self._formats
        self.own = Tally()
        self._version = JobKeys(upload.job_id)
        self._retried: list[RetriedRows] = []
        self._retries: list[tuple[Manifest, JobStitch]] = []
        for number in range(2, version_of(upload.job_id)):
            earlier = _finished(store, with_version(upload.job_id, number))
            if earlier is not None:
                self._retries.append((earlier, self._stitch(earlier, faults_of(earlier, store), formats)))
        self._retries.append((version, self._stitch(version, faults, formats, answers)))

    def _stitch(
        self, manifest: Manifest, faults: list[Fault], formats: Formats, answers: AnswersOf | None = None
    ) -> JobStitch:
        own = formats_of(manifest, formats)
        return JobStitch(manifest, faults, self._store, self._ledger, own, self._began, answers=answers)

    def tally(self) -> Tally:
        """Find or make the part of every shard; return the sum of their tallies, with the bill of all versions."""
        tallies = [stitch.tally() for _, stitch in self._retries]
        self.own = tallies[-1]
        with ExitStack() as opened:
            self._retried = [RetriedRows(stitch, manifest.sections) for manifest, stitch in self._retries]
            for retried in self._retried:
                opened.callback(retried.close)
            self._before = 0
            total = super().tally()
        for one in tallies:
            billed = Tally(tokens=one.tokens, perhaps_paid=one.perhaps_paid)
            total.merge(billed)
        self.runs = self._retries[-1][1].runs  # the versions before this one have published theirs
        return total

    def _part(self, item: ShardItem) -> Tally:
        tally = super()._part(item)
        self._before += item.rows
        if not any(retried.has_up_to(self._before) for retried in self._retried):
            return tally
        self._part_keys[-1] = partial(self._version.part_of_closing, item.shard, self._began)
        with closing(self._merged(item)) as chunks:
            merged = write_part(
                chunks,
                item,
                sidecar_key=self._keys.sidecar(item.shard),
                store=self._store,
                formats=self._formats,
                part_key=self._part_keys[-1],
            )
        # The first version's bill stays whole: an answer that was replaced is paid, too.
        merged.tokens, merged.perhaps_paid = tally.tokens, tally.perhaps_paid
        return merged

    def _merged(self, item: ShardItem) -> Generator[JoinedRows, None, None]:
        with closing(self.rows(item)) as chunks:
            for rows, outcomes in chunks:
                for retried in self._retried:
                    found = retried.up_to(rows[-1].row)
                    for place, row in enumerate(rows):
                        if row.row in found:
                            outcomes[place] = newer(outcomes[place], found[row.row])
                yield rows, outcomes


def newer(old: Outcome, new: Outcome) -> Outcome:
    """Return the outcome of a row that was sent again. No unpaid result replaces a paid answer."""
    if old.fate == "answered":
        return old
    is_paid = new.fate in {"answered", "unusable"} or new.status in PERHAPS_PAID
    return new if is_paid or old.fate != "unusable" else old


def _finished(store: ObjectStore, job_id: str) -> Manifest | None:
    """Return the manifest of a version whose rows are all split, so that it may have sent some; else None."""
    manifest = read_manifest(store, job_id)
    return manifest if manifest is not None and manifest.cursor is None else None


def faults_of(manifest: Manifest, store: ObjectStore) -> list[Fault]:
    """Return why a closed version has rows without an answer."""
    upload = manifest.upload
    try:
        key = f"{results_prefix(upload.key, upload.job_id)}summary.json"
        return msgspec.json.decode(store.read(key), type=_Faults).faults
    except ObjectMissing:
        return []
