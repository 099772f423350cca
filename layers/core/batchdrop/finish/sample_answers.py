"""The answers of a random sample, for the shards in which its rows stand.

The sample is answered before the other shards are sent, so a shard can be joined with its answers at once. A resume may
change them. So they have a version, and a part that is joined with them has that version in its key.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.escalations import escalations_of
from batchdrop.finish.lent_answers import LentAnswers
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.partial_results import was_sent
from batchdrop.finish.read_again import reading_of, settle_read_again
from batchdrop.finish.recalled import forgotten_in, recall
from batchdrop.job.job_files import answered_rounds
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest, ShardItem
from batchdrop.job.ports import Ledger
from batchdrop.job.remembering import AnswersOf
from batchdrop.job.sample import SAMPLE_SHARD
from batchdrop.ports import ObjectStore


def lend_sample(
    item: ShardItem,
    index: AnswerIndex,
    manifest: Manifest,
    store: ObjectStore,
    ledger: Ledger,
    answers: AnswersOf | None,
) -> str:
    """Give a shard's rows the answers of the sample, if all of these are there. Return their version, else ""."""
    sample = manifest.shards[SAMPLE_SHARD]
    with _answered(manifest, sample, store, answers) as (own, rounds, reading):
        version = _version(manifest, rounds, reading, store, ledger)
        if version:
            wanted = {SAMPLE_SHARD: range(sample.rows)}
            LentAnswers(manifest, wanted, lambda _: nullcontext(own), store, ledger).lend(item, index)
    return version


def sample_version(manifest: Manifest, store: ObjectStore, ledger: Ledger) -> str:
    """Return the version of the sample's answers; empty while some of them are under way."""
    job_id = manifest.upload.job_id
    rounds = answered_rounds(store, job_id, SAMPLE_SHARD)
    reading = reading_of(JobKeys(job_id).read_again(SAMPLE_SHARD), store)
    return _version(manifest, rounds, reading, store, ledger)


def _version(manifest: Manifest, rounds: int, reading: str, store: ObjectStore, ledger: Ledger) -> str:
    job_id = manifest.upload.job_id
    if not manifest.shards[SAMPLE_SHARD].requests:
        return "m"  # it is never sent: its rows are remembered, or cannot be sent
    is_open = was_sent(job_id, SAMPLE_SHARD, rounds, ledger)
    if is_open or not store.exists(JobKeys(job_id).part_tally(SAMPLE_SHARD, rounds, reading=reading)):
        return ""
    return f"r{rounds - 1}{reading and f'-{reading}'}"


@contextmanager
def _answered(
    manifest: Manifest, sample: ShardItem, store: ObjectStore, answers: AnswersOf | None
) -> Iterator[tuple[AnswerIndex, int, str]]:
    """Index the sample's collected rounds. Yield the index, the number of rounds, and what was read again."""
    job_id = manifest.upload.job_id
    keys, rounds = JobKeys(job_id), answered_rounds(store, job_id, SAMPLE_SHARD)
    with tempfile.TemporaryFile(prefix="sample-") as spool:
        escalations = escalations_of(manifest, sample.rows)
        index = AnswerIndex(spool, job_id=job_id, shard=SAMPLE_SHARD, rows=sample.rows, escalations=escalations)
        recall(index, sample, keys, store, forgotten_in(manifest, sample, answers))
        packs = PackedRounds(manifest, SAMPLE_SHARD, store)
        for round_number in range(rounds):
            packs.fill(index, round_number)
        yield index, rounds, settle_read_again(index, keys.read_again(SAMPLE_SHARD), store)
