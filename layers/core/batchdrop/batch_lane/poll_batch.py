"""Poll a Message Batch: has it ended, and if not, how long to wait before the next poll."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.batch_lane.same_provider import refuse_lost_elsewhere
from batchdrop.errors import ApiUnavailable, JobCanceled, MessageBatchLost, RateLimited
from batchdrop.job.halting import halting_on_account_trouble
from batchdrop.job.polling import poll_seconds
from batchdrop.job.ports import Ledger
from batchdrop.ports import Clock

POLLS_BEFORE_LOST = 57  # a Message Batch can be invisible right after its create; these polls take half an hour


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """Whether the Message Batch has ended; if not, the seconds to wait. `batch` is None if it could not be read."""

    ended: bool
    wait_seconds: int
    batch: MessageBatch | None = field(default=None, compare=False)


def poll_batch(
    job_id: str,
    batch_id: str,
    polls: int,
    *,
    open_shards: int,
    round_number: int = 0,
    deadline: int = 0,
    ledger: Ledger,
    api: BatchReader,
    clock: Clock,
    jitter: Callable[[], float],
) -> PollAnswer:
    """Poll a Message Batch; cancel it if the job was canceled or is late.

    `polls` counts the polls before this one. `deadline` (Unix seconds, 0 for none) is when the job's `finish_within`
    is over. After a transient error, the Message Batch counts as not ended. Raises AccountTrouble, also if another
    provider or workspace has it. Raises MessageBatchLost if the API still answers 404 after POLLS_BEFORE_LOST polls.
    """
    wait = poll_seconds(polls + 1, open_shards=open_shards, jitter=jitter(), round_number=round_number)
    waiting = PollAnswer(ended=False, wait_seconds=_until(deadline, clock, wait))
    try:
        with halting_on_account_trouble(job_id, ledger, clock):
            batch = _retrieved(batch_id, ledger, api)
            _cancel_if_wanted(job_id, batch, ledger, api, is_late=_is_late(deadline, clock))
    except (ApiUnavailable, RateLimited):
        return waiting
    except MessageBatchLost:
        if polls < POLLS_BEFORE_LOST:
            return waiting
        raise
    has_ended = batch.processing_status == "ended"
    return PollAnswer(has_ended, 0 if has_ended else waiting.wait_seconds, batch)


def _retrieved(batch_id: str, ledger: Ledger, api: BatchReader) -> MessageBatch:
    try:
        return api.retrieve(batch_id)
    except MessageBatchLost:
        refuse_lost_elsewhere(batch_id, ledger, api)
        raise


def _is_late(deadline: int, clock: Clock) -> bool:
    return bool(deadline) and clock.now().timestamp() >= deadline


def _until(deadline: int, clock: Clock, wait: int) -> int:
    """Return the wait, or the seconds until the deadline if they are fewer."""
    left = deadline - clock.now().timestamp()
    return max(1, min(wait, round(left))) if deadline and left > 0 else wait


def _cancel_if_wanted(job_id: str, batch: MessageBatch, ledger: Ledger, api: BatchReader, *, is_late: bool) -> None:
    """Cancel again at each poll until the status changes: a cancel can be lost, and repeating it does no harm."""
    if batch.processing_status == "in_progress":
        halt = ledger.halted(job_id)
        if is_late or (halt is not None and halt.error == JobCanceled.__name__):
            api.cancel(batch.id)
