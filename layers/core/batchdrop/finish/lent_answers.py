"""The answers that shards share with later shards of their job. A closing reads them once all shards have ended.

Those of a random sample are read earlier, when all of them are there.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.outcome import SentRequest
from batchdrop.answers.verdict import Verdict
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.perhaps_paid import batch_ids, sent_request
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Ledger
from batchdrop.job.sample import SAMPLE_SHARD
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectStore
from batchdrop.requests.dedupe import Lender
from batchdrop.requests.row import StoredRow

Opened = Callable[[ShardItem], AbstractContextManager[AnswerIndex]]
ROWS_TOGETHER = 128
_NOWHERE = -1


def borrowers(job_id: str, item: ShardItem, store: ObjectStore) -> Iterator[tuple[int, Lender]]:
    """Yield the rows of a shard that share an earlier shard's answer, each with the row that has it."""
    decoder, first = msgspec.json.Decoder(StoredRow), 0
    with closing(store.stream(JobKeys(job_id).rows(item.shard))) as blocks:
        for block in line_blocks(blocks):
            rows = decoder.decode_lines(block)
            for index, row in enumerate(rows, first):
                if row.same_shard is not None and row.same_as is not None:
                    yield index, Lender(row.same_shard, row.same_as)
            first += len(rows)


def shared_rows(manifest: Manifest, store: ObjectStore) -> dict[int, list[int]]:
    """Return the rows whose answers later shards share, by shard. Those of a random sample are left out."""
    wanted: dict[int, set[int]] = {}
    for item in manifest.shards:
        for _, lender in borrowers(manifest.upload.job_id, item, store) if item.borrowed else ():
            wanted.setdefault(lender.shard, set()).add(lender.row)
    if manifest.draws_sample:
        wanted.pop(SAMPLE_SHARD, None)
    return {shard: sorted(rows) for shard, rows in wanted.items()}


class LentAnswers:
    """The result lines of rows that later shards share, on disk. Memory holds 12 bytes a row of each such shard.

    `wanted` are these rows, in order, by shard. `opened` indexes the answers of a shard.
    """

    def __init__(
        self,
        manifest: Manifest,
        wanted: Mapping[int, Sequence[int]],
        opened: Opened,
        store: ObjectStore,
        ledger: Ledger,
    ) -> None:
        self._job_id = manifest.upload.job_id
        self._store = store
        self._ledger = ledger
        self._spool = tempfile.TemporaryFile(prefix="lent-")  # noqa: SIM115 - it lives as long as the closing
        weakref.finalize(self, self._spool.close)
        self._offsets: dict[int, array[int]] = {}
        self._lengths: dict[int, array[int]] = {}
        self._unsure: dict[Lender, SentRequest] = {}
        self._end = 0
        for shard, rows in sorted(wanted.items()):
            with opened(manifest.shards[shard]) as index:
                self._keep(shard, rows, index)
        self._spool.flush()

    def lend(self, item: ShardItem, index: AnswerIndex) -> None:
        """Give the rows of a shard the answers that they share, as far as they are here."""
        for row, lender in borrowers(self._job_id, item, self._store):
            line = self._line(lender) if lender.shard in self._offsets else None
            if line is not None:
                index.borrow(row, line, self._unsure.get(lender))
        index.flush()

    def _keep(self, shard: int, rows: Sequence[int], index: AnswerIndex) -> None:
        offsets, lengths = array("q", [_NOWHERE]) * index.rows, array("I", [0]) * index.rows
        self._offsets[shard], self._lengths[shard] = offsets, lengths
        for first in range(0, len(rows), ROWS_TOGETHER):
            some = rows[first : first + ROWS_TOGETHER]
            for row, line in zip(some, index.lines(some), strict=True):
                if line is not None:
                    offsets[row], lengths[row] = self._end, len(line)
                    self._spool.write(line)
                    self._end += len(line)
                if index.verdict(row) is Verdict.PERHAPS_PAID:
                    own, batch_id_of = (
                        custom_id.prefix(self._job_id, shard),
                        batch_ids(self._job_id, shard, self._ledger),
                    )
                    self._unsure[Lender(shard, row)] = sent_request(own, row, index, batch_id_of)

    def _line(self, lender: Lender) -> bytes | None:
        offset = self._offsets[lender.shard][lender.row]
        if offset == _NOWHERE:
            return None
        return os.pread(self._spool.fileno(), self._lengths[lender.shard][lender.row], offset)
