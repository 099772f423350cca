"""Join a grouped job: a shard's final lines when it is collected, and each block of the file when the job closes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from batchdrop.answers import custom_id
from batchdrop.answers.odd_records import read_line
from batchdrop.answers.outcome import Outcome, of_result
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.group_answers import (
    BEGINS,
    LINES,
    BlockAnswers,
    GroupShardAnswers,
    block_begins,
    read_places,
    starts_of,
    write_lines,
)
from batchdrop.finish.join_shard import JoinedRows, add_replaced, joined_rows, write_part
from batchdrop.finish.perhaps_paid import BatchIdOf
from batchdrop.job.job_files import JobFormats, shape_of
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.money.prices import PriceTable
from batchdrop.ports import ObjectStore
from batchdrop.report.tally import Tally

TOGETHER = 256  # rows; one call for each would cost as much as counting it


def join_group_shard(
    manifest: Manifest,
    item: ShardItem,
    *,
    store: ObjectStore,
    results: AnswerIndex,
    unanswered: Outcome,
    part_key: Callable[[str], str],
) -> Tally:
    """Write a shard's final lines for the blocks of the file; return its tally, without the report's statistics."""
    places = read_places(manifest, item.shard, store)
    assert places is not None, "only a grouped job has such shards"
    with store.writer(part_key(LINES)) as target:
        begins = block_begins(write_lines(results, places, target), starts_of(manifest.blocks))
    store.write(part_key(BEGINS), begins)
    tally, shape = Tally(), shape_of(manifest)

    def outcomes(indexes: Sequence[int]) -> list[Outcome]:
        found = [None if line is None else read_line(line) for line in results.lines(indexes)]
        return [unanswered if one is None else of_result(one.result, shape, seconds=one.seconds) for one in found]

    own = [index for index in range(item.rows) if places[index].same_as == index]
    same = [places[index].same_as for index in range(item.rows) if places[index].same_as != index]
    for indexes, are_shared in ((own, False), (same, True)):
        for first in range(0, len(indexes), TOGETHER):
            tally.add(outcomes(indexes[first : first + TOGETHER]), are_shared=are_shared)
    tally.check(rows=item.rows, where=f"shard {item.shard}")
    add_replaced(tally, results)
    return tally


class GroupedParts:
    """The blocks of a grouped job, joined from the final lines of its shards."""

    def __init__(self, manifest: Manifest, *, store: ObjectStore, formats: JobFormats, prices: PriceTable) -> None:
        self._keys, self._store, self._formats = JobKeys(manifest.upload.job_id), store, formats
        self._prices = prices
        self._starts = starts_of(manifest.blocks)
        self._shards: list[GroupShardAnswers] = []

    def add(self, shard: int, part_key: Callable[[str], str], batch_id_of: BatchIdOf, unanswered: Outcome) -> None:
        """Add the next shard's lines, which are stored."""
        own = custom_id.prefix(self._keys.job_id, shard)
        self._shards.append(
            GroupShardAnswers(part_key, lambda index: custom_id.after(own, index), batch_id_of, unanswered)
        )

    def rows(self, block: ShardItem) -> Generator[JoinedRows, None, None]:
        """Yield a block's rows with their outcomes. All shards must be added."""
        with tempfile.TemporaryFile(prefix="block-") as spool:
            answers = BlockAnswers(spool, block.shard, self._starts, self._shards)
            answers.read(self._store)
            key = self._keys.rows(block.shard)
            yield from joined_rows(key, answers, store=self._store, formats=self._formats, prices=self._prices)

    def write(self, block: ShardItem, part_key: Callable[[str], str]) -> Tally:
        """Write a block's part of the output; return its tally without tokens: those are in its shards' tallies."""
        with closing(self.rows(block)) as rows:
            tally = write_part(
                rows,
                block,
                sidecar_key=self._keys.sidecar(block.shard),
                store=self._store,
                formats=self._formats,
                part_key=part_key,
            )
        tally.tokens = []
        return tally
