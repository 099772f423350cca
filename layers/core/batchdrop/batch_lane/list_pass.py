"""Read the list of Message Batches once, and pick those that the submission may have created.

"Not in this list" means "absent" only under two conditions. The pass reached the list's end, or Message Batches older
than the attempt. And the responses gave the service's time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.ports import BatchReader
from batchdrop.errors import ApiUnavailable, RateLimited
from batchdrop.job.submission import Submission
from batchdrop.limits import VISIBILITY_LAG
from batchdrop.ports import Clock

CLOCK_SKEW = timedelta(minutes=5)  # between two of our hosts; also the error of a measured offset
OLDER_IN_A_ROW = 5  # one odd date must not end a pass; the list is newest first
MOST_SAID = 200  # characters of an error, because it can contain a page of HTML


@dataclass(slots=True)
class ListPass:
    """The result of one pass. `proves_nothing` is the reason why it cannot prove absence; empty if it can."""

    candidates: list[MessageBatch] = field(default_factory=list)
    proves_nothing: str = ""


def read_list(submission: Submission, api: BatchReader, clock: Clock) -> ListPass:
    """Return the Message Batches that fit the submission by time and count. Raises AccountTrouble."""
    found = ListPass()
    try:
        for batch in _created_with(submission, api, clock):
            if _can_count(batch, submission.requests):
                found.candidates.append(batch)
    except (ApiUnavailable, RateLimited) as trouble:
        found.proves_nothing = f"the list of Message Batches cannot be read ({shortened(trouble)})"
    else:
        if api.clock_offset(clock.now()) is None:
            found.proves_nothing = "the API's responses have no Date header, so its clock is unknown"
    return found


def shortened(trouble: Exception) -> str:
    """Return an error's type and message, cut to MOST_SAID."""
    return f"{type(trouble).__name__}: {trouble}"[:MOST_SAID]


def _created_with(submission: Submission, api: BatchReader, clock: Clock) -> Iterator[MessageBatch]:
    """Yield the Message Batches created while the attempt ran, and those with an unreadable date."""
    older = 0
    for batch in api.newest_first():
        created_at = _date(batch.created_at)
        start, end = _window(submission, api.clock_offset(clock.now()) or timedelta())
        if created_at is None or start <= created_at <= end:
            yield batch
        older = older + 1 if created_at is not None and created_at < start else 0
        if older == OLDER_IN_A_ROW:
            return


def _window(submission: Submission, offset: timedelta) -> tuple[datetime, datetime]:
    """Return when the attempt can have created its Message Batch.

    The window holds on our clock and on the service's, because the offset may have changed since.
    """
    nothing = timedelta()
    start = submission.sent_at + min(offset, nothing) - CLOCK_SKEW
    return start, submission.over_at + max(offset, nothing) + CLOCK_SKEW + VISIBILITY_LAG


def _date(text: str) -> datetime | None:
    """Return one of the API's dates; None if it has no zone or cannot be read."""
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date if date.tzinfo else None


def _can_count(batch: MessageBatch, requests: int) -> bool:
    """Return whether a Message Batch can hold so many requests: counts may be missing, or off by one after the end."""
    total = batch.request_counts.total
    slack = 1 if batch.processing_status == "ended" else 0
    return total == 0 or abs(total - requests) <= slack
