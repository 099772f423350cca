"""A submission: one paid create and the intent written before it, as the ledger keeps it.

(nothing) --begin--> sent --accept--> accepted
^          |
armed <--rearm (a clean refusal, or nothing found after settling)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["armed", "sent", "accepted"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What is known of the create of one shard in one round.

    `attempt` names the attempt that holds the right to send; `sent_at` is when it took it, `over_at` when it has ended
    for certain (its invocation's deadline, or earlier if it said so itself). `batch_id` is set once `accepted`,
    `collected_at` once its answers are in the bucket.
    """

    job_id: str
    shard: int
    round_number: int
    requests: int
    attempt: str
    sent_at: datetime
    over_at: datetime
    state: State = "sent"
    batch_id: str | None = None
    collected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShardFailure:
    """A shard that ended by an error, as the state machine recorded it."""

    shard: int
    error: str
    cause: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a job asks nothing more: `error` is `AccountTrouble`, `JobCanceled` or `BudgetReached`.

    `reason` is what the user reads.
    """

    error: str
    reason: str
    at: datetime
