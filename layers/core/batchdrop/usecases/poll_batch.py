"""Poll a Message Batch: has it ended, and if not, how long to wait before the next look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from batchdrop.domain.polling import wait_seconds
from batchdrop.errors import ApiUnavailable, MessageBatchLost, RateLimited
from batchdrop.ports import BatchApi

POLLS_BEFORE_LOST = 10  # a Message Batch can be invisible right after its create; ten polls take about half an hour


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """Whether the Message Batch ended; if not, the seconds to wait."""

    ended: bool
    wait_seconds: int


def poll_batch(
    batch_id: str, polls: int, *, open_shards: int, api: BatchApi, jitter: Callable[[], float]
) -> PollAnswer:
    """Look at a Message Batch for the `polls`-th time, counted from 0.

    A look that fails for a passing reason is a look that saw no end. Raises MessageBatchLost when the API still does
    not know it after POLLS_BEFORE_LOST looks, and AccountTrouble.
    """
    waiting = PollAnswer(ended=False, wait_seconds=wait_seconds(polls + 1, open_shards=open_shards, jitter=jitter()))
    try:
        batch = api.retrieve(batch_id)
    except (ApiUnavailable, RateLimited):
        return waiting
    except MessageBatchLost:
        if polls < POLLS_BEFORE_LOST:
            return waiting
        raise
    return PollAnswer(ended=True, wait_seconds=0) if batch.processing_status == "ended" else waiting
