"""Keep the results that arrived while the API's results stay incomplete: their answers are paid, so they are delivered.

Each attempt adds its lines to one object. `collect_results` never reads an answer from it. If no attempt is complete,
the shard fails, and closing the job delivers these lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from batchdrop.answers.result_line import uncertain_line
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.live_results import lost_lines, requests_without_line
from batchdrop.job.layout import JobKeys
from batchdrop.job.ports import Ledger
from batchdrop.job.stored_lines import line_blocks
from batchdrop.ports import ObjectMissing, ObjectStore

LINES_TOGETHER = 128


def keep_arrived(key: str, index: AnswerIndex, store: ObjectStore) -> None:
    """Write the round's lines in `index`, and those of earlier attempts, to the object `key`."""
    index.extend(arrived_lines(key, store))
    rows = index.rows_with_line()
    if not rows:
        return
    with store.writer(key) as arrived:
        for first in range(0, len(rows), LINES_TOGETHER):
            lines = index.lines(rows[first : first + LINES_TOGETHER])
            arrived.write(b"".join([line + b"\n" for line in lines if line is not None]))


def arrived_lines(key: str, store: ObjectStore) -> Iterator[bytes]:
    """Yield the lines that earlier attempts kept, in blocks; none if no attempt was incomplete."""
    try:
        with closing(store.stream(key)) as blocks:
            yield from line_blocks(blocks)
    except ObjectMissing:
        return


def was_sent(job_id: str, shard: int, round_number: int, ledger: Ledger) -> bool:
    """Return whether a round's create was sent, whatever became of it."""
    sent = ledger.submission(job_id, shard, round_number)
    return sent is not None and sent.state != "armed"


def uncertain_lines(
    keys: JobKeys, shard: int, round_number: int, index: AnswerIndex, why: str, *, store: ObjectStore, ledger: Ledger
) -> Iterator[bytes]:
    """Yield a line for each request without one that may be paid: all of a Message Batch, or lost tries of a worker."""
    if not was_sent(keys.job_id, shard, round_number, ledger):
        yield from lost_lines(keys, shard, round_number, index, why, store=store, ledger=ledger)
        return
    for custom_id in requests_without_line(keys, shard, round_number, index, store=store):
        yield uncertain_line(custom_id, why)
