"""A live round's result lines, from its workers' flushes; and a line for each request that has none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from batchdrop.domain import custom_id
from batchdrop.domain.layout import JobKeys
from batchdrop.domain.live_line import canceled_line, errored_line
from batchdrop.domain.shard_state import ShardState
from batchdrop.domain.stored_request import stored_request
from batchdrop.errors import JobCanceled
from batchdrop.ports import Ledger, ObjectStore
from batchdrop.usecases.answer_index import AnswerIndex
from batchdrop.usecases.stored_lines import whole_lines

UNANSWERED = "unanswered_error"  # ours: the API's own error types stay its own


def live_lines(state: ShardState, index: AnswerIndex, *, store: ObjectStore, ledger: Ledger) -> Iterator[bytes]:
    """Yield the round's lines while `index` takes them in; a request without one gets a line that says why."""
    keys = JobKeys(state.job_id)
    yield from flushed_lines(state.job_id, state.shard, state.round, store=store)
    halt = ledger.halted(state.job_id)
    with closing(store.stream(keys.requests(state.shard, state.round))) as blocks:
        for line in whole_lines(blocks):
            request = stored_request(line)
            row = custom_id.parse(request.custom_id) if request else None
            if request is None or row is None or index.has_line(row.index):
                continue
            if halt is not None and halt.error == JobCanceled.__name__:
                yield canceled_line(request.custom_id)
            else:
                reason = halt.reason if halt else "no worker answered this request in its time"
                yield errored_line(request.custom_id, UNANSWERED, reason).rstrip()


def flushed_lines(job_id: str, shard: int, asked_round: int, *, store: ObjectStore) -> Iterator[bytes]:
    """Yield the lines that workers have flushed of a round."""
    for key in sorted(store.keys(JobKeys(job_id).live_answers(shard, asked_round))):
        with closing(store.stream(key)) as blocks:
            yield from whole_lines(blocks)
