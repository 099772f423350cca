"""Poll a Message Batch: has it ended, and if not, how long to wait before the next look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import ApiUnavailable, JobCanceled, MessageBatchLost, RateLimited
from batchdrop.job.halting import halting_on_account_trouble
from batchdrop.job.polling import poll_seconds
from batchdrop.job.ports import Ledger
from batchdrop.ports import Clock

POLLS_BEFORE_LOST = 10  # a Message Batch can be invisible right after its create; ten polls take about half an hour


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """Whether the Message Batch ended; if not, the seconds to wait. `batch` is what was seen of it, if anything."""

    ended: bool
    wait_seconds: int
    batch: MessageBatch | None = field(default=None, compare=False)


def poll_batch(
    job_id: str,
    batch_id: str,
    polls: int,
    *,
    open_shards: int,
    deadline: int = 0,
    ledger: Ledger,
    api: BatchReader,
    clock: Clock,
    jitter: Callable[[], float],
) -> PollAnswer:
    """Look at a Message Batch for the `polls`-th time, counted from 0; cancel it if the job was canceled or is late.

    `deadline` (Unix seconds, 0 for none) is when the job's `finish_within` is over.

    A look that fails for a passing reason is a look that saw no end. Raises MessageBatchLost when the API still does
    not know it after POLLS_BEFORE_LOST looks, and AccountTrouble.
    """
    wait = poll_seconds(polls + 1, open_shards=open_shards, jitter=jitter())
    waiting = PollAnswer(ended=False, wait_seconds=_until(deadline, clock, wait))
    try:
        with halting_on_account_trouble(job_id, ledger, clock):
            batch = api.retrieve(batch_id)
            _cancel_if_wanted(job_id, batch, ledger, api, is_late=_is_late(deadline, clock))
    except (ApiUnavailable, RateLimited):
        return waiting
    except MessageBatchLost:
        if polls < POLLS_BEFORE_LOST:
            return waiting
        raise
    has_ended = batch.processing_status == "ended"
    return PollAnswer(has_ended, 0 if has_ended else waiting.wait_seconds, batch)


def _is_late(deadline: int, clock: Clock) -> bool:
    return bool(deadline) and clock.now().timestamp() >= deadline


def _until(deadline: int, clock: Clock, wait: int) -> int:
    """Return the wait, cut short where the deadline comes first."""
    left = deadline - clock.now().timestamp()
    return max(1, min(wait, round(left))) if deadline and left > 0 else wait


def _cancel_if_wanted(job_id: str, batch: MessageBatch, ledger: Ledger, api: BatchReader, *, is_late: bool) -> None:
    """Cancel until it shows: a cancel can be lost, and repeating it changes nothing."""
    if batch.processing_status == "in_progress":
        halt = ledger.halted(job_id)
        if is_late or (halt is not None and halt.error == JobCanceled.__name__):
            api.cancel(batch.id)
