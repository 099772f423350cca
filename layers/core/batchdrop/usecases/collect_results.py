"""Collect a shard's results: fetch them raw, count them, keep them, join them to the rows."""

from __future__ import annotations

import tempfile
from contextlib import closing
from typing import BinaryIO

from batchdrop.domain.layout import JobKeys
from batchdrop.domain.manifest import ShardItem
from batchdrop.domain.result import MessageBatch
from batchdrop.domain.tally import Tally
from batchdrop.errors import InvariantBroken, ResultsIncomplete
from batchdrop.ports import BatchApi, ObjectStore
from batchdrop.usecases.answer_index import AnswerIndex
from batchdrop.usecases.job_files import FormatFor, format_of, read_manifest
from batchdrop.usecases.join_shard import join_shard
from batchdrop.usecases.stored_lines import whole_lines

COPY_BLOCK = 1024 * 1024


def collect_results(
    job_id: str,
    shard: int,
    asked_round: int,
    batch_id: str,
    *,
    store: ObjectStore,
    api: BatchApi,
    format_for: FormatFor,
) -> Tally:
    """Return the shard's tally after its part of the output is written.

    Raises ResultsIncomplete when the API gave fewer results than it counted; nothing is written then.
    """
    manifest = read_manifest(store, job_id)
    if manifest is None:
        message = f"job {job_id} has no manifest"
        raise InvariantBroken(message)
    item = manifest.shards[shard]
    with tempfile.TemporaryFile(prefix="answers-") as spool:
        index = AnswerIndex(spool, job_id=job_id, shard=shard, rows=item.rows)
        _fetch(api, batch_id, index, item)
        _keep(spool, store, JobKeys(job_id).answers(shard, asked_round))
        return join_shard(
            job_id,
            item,
            store=store,
            file_format=format_of(manifest, format_for),
            result_of=index.line,
            unanswered="the API returned no result for this row",
        )


def _fetch(api: BatchApi, batch_id: str, index: AnswerIndex, item: ShardItem) -> None:
    batch = api.retrieve(batch_id)
    with closing(api.results(batch)) as blocks:
        index.fill(whole_lines(blocks))
    _check_complete(batch, index, item)


def _check_complete(batch: MessageBatch, index: AnswerIndex, item: ShardItem) -> None:
    """A stream cut at a clean close looks complete: only counting tells."""
    if not index.found == item.requests == batch.request_counts.total:
        message = (
            f"{batch.id}: {index.found} of {item.requests} results came (the Message Batch counts "
            f"{batch.request_counts.total}; {index.repeated} repeated, {index.foreign} of others)"
        )
        raise ResultsIncomplete(message)


def _keep(spool: BinaryIO, store: ObjectStore, key: str) -> None:
    spool.seek(0)
    with store.writer(key) as answers:
        while block := spool.read(COPY_BLOCK):
            answers.write(block)
