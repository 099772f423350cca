"""A lease: the right to send a slice's requests. One worker at a time holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOST_CRASHES = 5  # workers of one slice that ended without releasing it; SQS delivers one message as often
MOST_TURNS = 2_500  # a day of hand-backs, if each worker finds time for only 35 seconds of sending


@dataclass(frozen=True, slots=True)
class Lease:
    """`attempt` holds slice `slice_name` of a job until `until`, or longer if it renews the lease.

    `turn` counts the attempts that have held it, from 1. `crashes` counts those before that did not release it.
    `tries` are those of the attempts before, as `tries.as_text` writes them.
    """

    job_id: str
    slice_name: str
    attempt: str
    until: datetime
    turn: int
    crashes: int = 0
    tries: str = ""

    @property
    def is_exhausted(self) -> bool:
        """Return whether the slice had too many workers: it is given up, and its other requests are not sent."""
        return self.crashes >= MOST_CRASHES or self.turn > MOST_TURNS
