"""Read the API's results again for requests that may be paid. They are never sent again.

A row becomes `unreadable` if its record cannot be read. The record may be readable later, so a resume reads the
results of its Message Batch once more. The lines that can be read then are kept beside the answers.
"""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import closing

import msgspec

from batchdrop.answers import custom_id
from batchdrop.answers.result_line import AgainId, ResultHead, line_read_again
from batchdrop.answers.verdict import Verdict
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.finish.packed_rounds import PackedRounds
from batchdrop.finish.partial_results import arrived_lines
from batchdrop.job.layout import JobKeys
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import whole_lines
from batchdrop.ports import ObjectStore

_ID = msgspec.json.Decoder(AgainId)
_HEAD = msgspec.json.Decoder(ResultHead)


def settle_read_again(index: AnswerIndex, key: str, store: ObjectStore) -> str:
    """Settle requests of `index` by the lines that earlier resumes kept in the object `key`, if there is one.

    Return the `reading` that these lines are: the part that is joined from them has it in its key.
    """
    lines = _lines(key, store)
    for line in lines:
        known, head = _ID.decode(line), _HEAD.decode(line)
        row = custom_id.parse(known.custom_id)
        if row is not None and head.verdict != Verdict.PERHAPS_PAID:
            index.settle(row.index, known.round, line, head.verdict)
    return _reading(lines)


def reading_of(key: str, store: ObjectStore) -> str:
    """Return the `reading` that the object `key` is now; empty if there is none."""
    return _reading(_lines(key, store))


def _lines(key: str, store: ObjectStore) -> list[bytes]:
    return [*filter(bytes.strip, whole_lines(arrived_lines(key, store)))]


def _reading(lines: list[bytes]) -> str:
    return hashlib.blake2b(b"\n".join(lines), digest_size=5).hexdigest() if lines else ""


def read_again(
    state: ShardState, index: AnswerIndex, packs: PackedRounds, *, rows: int, api: BatchReader, store: ObjectStore
) -> None:
    """Read the round's results again, and keep the lines of `index`'s unsettled rows that can be read now.

    `rows` counts the shard's rows. Raises the errors of BatchReader.
    """
    unsettled = index.rows_perhaps_paid(state.round)
    with tempfile.TemporaryFile(prefix="again-") as spool:
        found = AnswerIndex(spool, job_id=state.job_id, shard=state.shard, rows=rows)
        with closing(api.results(api.retrieve(state.batch_id))) as blocks:
            found.fill(packs.rows(state.round, blocks))
        readable = [row for row in unsettled if found.verdict(row) not in {Verdict.NOTHING, Verdict.PERHAPS_PAID}]
        lines = [line_read_again(state.round, line) for line in found.lines(readable) if line is not None]
    if not lines:
        return
    key = JobKeys(state.job_id).read_again(state.shard)
    earlier = [*arrived_lines(key, store)]
    store.write(key, b"".join([*earlier, *lines]))
