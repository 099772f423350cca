"""A submission in the ledger: the intent, written before the one paid create, and its outcome.

(nothing) --begin--> sent --accept--> accepted
^         |  ^                |
|         |  +----disown------+  (its results are others')
armed <--rearm (a clean refusal, or nothing found after settling)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["armed", "sent", "accepted"]


@dataclass(frozen=True, slots=True)
class Submission:
    """The state of the create of one shard in one round.

    `attempt` is the only attempt that may send; it got this right at `sent_at`. At `over_at` it has certainly ended:
    this is its invocation's deadline, or earlier if the attempt noted its own end. `batch_id` is set once `accepted`,
    `collected_at` once the answers are in the bucket. `ruled_out` are Message Batches that settling read and found to
    belong to others. `workspace` and `key_print` (a fingerprint) are those that the create was sent with. `misled`: the
    API answered the create with a Message Batch of others, so it may have given ours to another submission.
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
    ruled_out: tuple[str, ...] = ()
    workspace: str = ""
    key_print: str = ""
    misled: bool = False

    @property
    def is_unnamed(self) -> bool:
        """Return whether version 0.1.0 wrote the intent, which names neither the key nor the workspace."""
        return not self.key_print and not self.workspace


@dataclass(frozen=True, slots=True)
class ShardFailure:
    """A shard that ended with an error, as the state machine recorded it."""

    shard: int
    error: str
    cause: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a job sends nothing more. `error` is the name of an error, such as `AccountTrouble` or `JobCanceled`.

    `reason` is the message for the user.
    """

    error: str
    reason: str
    at: datetime
