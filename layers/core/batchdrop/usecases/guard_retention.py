"""Guard what was paid for: the API drops results 29 days after their Message Batch was created."""

from __future__ import annotations

from dataclasses import dataclass

from batchdrop.domain.limits import RESULTS_KEPT, UNCOLLECTED_WARNING
from batchdrop.domain.submission import Submission
from batchdrop.ports import Clock, Ledger


@dataclass(frozen=True, slots=True)
class Endangered:
    """A submission whose answers are not in the bucket yet, and the days until the API drops them."""

    submission: Submission
    days_left: float


def guard_retention(*, ledger: Ledger, clock: Clock) -> list[Endangered]:
    """Return the submissions that have waited for UNCOLLECTED_WARNING or longer, the most urgent first."""
    now = clock.now()
    waiting = ledger.uncollected(now - UNCOLLECTED_WARNING)
    found = [Endangered(one, (one.sent_at + RESULTS_KEPT - now).total_seconds() / 86_400) for one in waiting]
    return sorted(found, key=lambda one: one.days_left)
