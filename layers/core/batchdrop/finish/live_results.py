"""Read a live round's results from its workers' flushes, and make lines for requests without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from batchdrop.answers import custom_id
from batchdrop.answers.result_line import canceled_line, errored_line, unreadable_line
from batchdrop.errors import JobCanceled
from batchdrop.finish.answer_index import AnswerIndex
from batchdrop.job.layout import JobKeys
from batchdrop.job.manifest import Manifest
from batchdrop.job.pilot import is_live_alone
from batchdrop.job.ports import Ledger
from batchdrop.job.shard_state import ShardState
from batchdrop.job.stored_lines import line_blocks, whole_lines
from batchdrop.live_lane.tries import TriesOfSlice, tries_of_round
from batchdrop.ports import ObjectStore
from batchdrop.requests.stored_request import stored_request

UNANSWERED = "unanswered_error"  # ours: not one of the API's error types


def unanswered_lines(state: ShardState, index: AnswerIndex, *, store: ObjectStore, ledger: Ledger) -> Iterator[bytes]:
    """Yield a line with the reason for each of the round's requests that has no line in `index`."""
    keys, halt = JobKeys(state.job_id), ledger.halted(state.job_id)
    is_canceled = halt is not None and halt.error == JobCanceled.__name__
    reason = halt.reason if halt else "no worker answered this request in time"
    lost: TriesOfSlice | None = None
    for name in requests_without_line(keys, state.shard, state.round, index, store=store):
        if lost is None:
            lost = _lost_tries(keys.job_id, state.shard, state.round, ledger)
        if name in lost:
            yield lost[name].line(name, UNANSWERED, reason)
        else:
            yield canceled_line(name) if is_canceled else errored_line(name, UNANSWERED, reason)


def lost_lines(
    keys: JobKeys, shard: int, round_number: int, index: AnswerIndex, why: str, *, store: ObjectStore, ledger: Ledger
) -> Iterator[bytes]:
    """Yield a line for each request without one that may be paid, in a live round that nobody collected."""
    lost = _lost_tries(keys.job_id, shard, round_number, ledger)
    lacking = requests_without_line(keys, shard, round_number, index, store=store) if lost else iter(())
    for name in lacking:
        if name in lost:
            yield lost[name].line(name, UNANSWERED, why)


def _lost_tries(job_id: str, shard: int, round_number: int, ledger: Ledger) -> TriesOfSlice:
    """Return the tries that may be paid, and that no worker took on when the one before ended."""
    left = tries_of_round(ledger.tries_left(job_id, shard, round_number))
    return {name: tries for name, tries in left.items() if tries.perhaps_paid}


def was_never_tried(state: ShardState, manifest: Manifest, index: AnswerIndex) -> bool:
    """Return whether no worker came to a pilot within its time, which is far shorter than that of other rounds.

    Then that round does not count for `max_rounds`: the row is sent with the others.
    """
    if state.round or not is_live_alone(manifest, state.shard):
        return False
    lines = filter(None, index.lines(range(index.rows)))
    return any(b'"%b"' % UNANSWERED.encode() in line for line in lines)


def requests_without_line(
    keys: JobKeys, shard: int, round_number: int, index: AnswerIndex, *, store: ObjectStore
) -> Iterator[str]:
    """Yield the custom_ids of the round's requests that have no line in `index`."""
    with closing(store.stream(keys.requests(shard, round_number))) as blocks:
        for line in whole_lines(blocks):
            request = stored_request(line)
            row = custom_id.parse(request.custom_id) if request else None
            if request is not None and row is not None and not index.has_line(row.index):
                yield request.custom_id


def unnamed_rows(state: ShardState, index: AnswerIndex, *, store: ObjectStore) -> Iterator[bytes]:
    """Yield a line for each request that a record without a custom_id must belong to.

    Such records belong to the requests without a line only if there are as many of both. Those requests are not sent
    again, because the records may be paid.
    """
    if not index.nameless:
        return
    lacking = [*requests_without_line(JobKeys(state.job_id), state.shard, state.round, index, store=store)]
    if len(lacking) == index.nameless:
        yield b"\n"  # the results may lack their last newline
        yield from map(unreadable_line, lacking)


def flushed_lines(job_id: str, shard: int, round_number: int, *, store: ObjectStore) -> Iterator[bytes]:
    """Yield the result lines that workers flushed in a round, in blocks of whole lines."""
    for key in sorted(store.keys(JobKeys(job_id).live_answers(shard, round_number))):
        with closing(store.stream(key)) as blocks:
            yield from line_blocks(blocks)
