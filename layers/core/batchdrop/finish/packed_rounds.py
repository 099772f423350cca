"""The packs of a shard, round by round: their result lines become lines of rows before anything else reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing

from msgspec import UNSET, UnsetType

from batchdrop.answers import custom_id
from batchdrop.answers.pack_lines import PackLines
from batchdrop.answers.pack_members import PackMembers
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.job_files import shape_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.stored_lines import line_blocks
from batchdrop.job.upload import parse_inbox_key
from batchdrop.ports import ObjectMissing, ObjectStore
from batchdrop.report.packs import PackCounts
from batchdrop.requests.pack_request import PackRequests


class PackedRounds:
    """Filters the result lines of one shard's rounds. In a job without packs, every line passes as it is."""

    def __init__(self, manifest: Manifest, shard: int, store: ObjectStore) -> None:
        self._store = store
        self._shard = shard
        self._manifest = manifest
        self._keys = JobKeys(manifest.upload.job_id)
        self._filters: dict[int, PackLines | None] = {}
        self._is_packed = manifest.is_packed
        if manifest.is_packed:
            self.requests = pack_requests_of(manifest)
            self._shape = shape_of(manifest)
            escalate = manifest.recipe.escalate if manifest.recipe else None
            self.to_other = pack_requests_of(manifest, escalate.to) if escalate else self.requests

    def rows(self, round_number: int, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Return the lines of a round, those of packs as the lines of their rows."""
        filtered = self.lines_of(round_number)
        return blocks if filtered is None else _expanded(filtered, blocks)

    def fill(self, index: AnswerIndex, round_number: int) -> None:
        """Fill the index with a round's result lines from the bucket. Raises ObjectMissing."""
        with closing(self._store.stream(self._keys.answers(self._shard, round_number))) as blocks:
            index.fill(self.rows(round_number, blocks))

    def lines_of(self, round_number: int) -> PackLines | None:
        """Return the filter of a round; None if the round has no packs."""
        if not self._is_packed:
            return None
        if round_number not in self._filters:
            self._filters[round_number] = self._filter(round_number)
        return self._filters[round_number]

    def members(self, round_number: int) -> PackMembers:
        """Return the packs of a round. Raises ObjectMissing."""
        return PackMembers.read(self._store.read(self._keys.packs(self._shard, round_number)))

    def pack_of(self, round_number: int, row: int) -> list[int]:
        """Return the rows that share a row's request in a round, the row included; none if it was sent alone."""
        if self.lines_of(round_number) is None:
            return []
        members = self.members(round_number)
        first = members.first_of(row)
        return [] if first is None else members.pack_of(first)

    def more(self, round_number: int) -> tuple[int, int]:
        """Return how many lines, and how many paid ones, the rows of a round have beyond the API's."""
        filtered = self.lines_of(round_number)
        return (0, 0) if filtered is None else (filtered.more_found, filtered.more_paid)

    def answered_packs(self) -> Iterator[tuple[int, list[int], int]]:
        """Yield the round and the rows of each answered pack, and how many are sent alone; always in the same order."""
        for round_number, filtered in sorted(self._filters.items()):
            if filtered is not None and filtered.missed:
                members = self.members(round_number)
                for first, missed in sorted(filtered.missed.items()):
                    yield round_number, members.pack_of(first), missed

    def counts(self) -> PackCounts | UnsetType:
        """Return what became of the packs; UNSET in a job without packs, so that its tally stays as it was."""
        if not self._is_packed:
            return UNSET
        counts, again = PackCounts(), Counter[str]()
        for _, rows, _ in self.answered_packs():
            counts.packs += 1
            counts.rows += len(rows)
        for filtered in self._filters.values():
            again.update(filtered.reasons if filtered else {})
        counts.again = dict(sorted(again.items()))
        return counts

    def _filter(self, round_number: int) -> PackLines | None:
        try:
            members = self.members(round_number)
        except ObjectMissing:  # round 0, and a round that was never planned
            return None
        own = custom_id.prefix(self._keys.job_id, self._shard)
        return PackLines(members, own, self._shape, shared=self.requests.shared_bytes)


def pack_requests_of(manifest: Manifest, model: str | None = None) -> PackRequests:
    """Return what builds a job's packs; `model` is another one than the recipe's.

    The job's id is the secret: it depends on the write of the file, which nobody knows who wrote a row of it.
    """
    assert manifest.recipe is not None, "only a recipe has packs"
    name = parse_inbox_key(manifest.upload.key).recipe_key
    secret = manifest.upload.job_id.encode()
    return PackRequests(manifest.recipe, shape_of(manifest), name=name, secret=secret, model=model)


def _expanded(filtered: PackLines, blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in line_blocks(blocks):
        yield filtered.expanded(block[:-1].split(b"\n"))
