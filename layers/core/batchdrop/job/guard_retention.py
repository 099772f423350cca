"""Find paid results that the API will delete soon: it keeps them 29 days after their Message Batch was created."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from batchdrop.job.ports import Ledger
from batchdrop.job.submission import Submission
from batchdrop.ports import Clock

RESULTS_KEPT = timedelta(days=29)  # Message Batches: results are kept 29 days from created_at
UNCOLLECTED_WARNING = timedelta(days=22)  # ours: a week before the API deletes them


@dataclass(frozen=True, slots=True)
class Endangered:
    """A submission whose answers are not in the bucket yet, and the days until the API deletes them."""

    submission: Submission
    days_left: float


@dataclass(frozen=True, slots=True)
class Uncollected:
    """Submissions whose answers are not in the bucket: the age of the oldest, and those that are endangered."""

    oldest_days: float
    endangered: list[Endangered]


def guard_retention(*, ledger: Ledger, clock: Clock) -> Uncollected:
    """Return the submissions that were sent longer than UNCOLLECTED_WARNING ago, the most urgent first.

    `oldest_days` is the age of the oldest uncollected submission; 0 if there is none.
    """
    now = clock.now()
    oldest, endangered = now, []
    for one in ledger.uncollected(now):
        oldest = min(oldest, one.sent_at)
        if one.sent_at < now - UNCOLLECTED_WARNING:
            endangered.append(Endangered(one, _days(one.sent_at + RESULTS_KEPT - now)))
    return Uncollected(_days(now - oldest), sorted(endangered, key=lambda one: one.days_left))


def _days(span: timedelta) -> float:
    return span.total_seconds() / 86_400
