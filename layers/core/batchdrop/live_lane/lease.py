"""A lease: the right to send a slice's requests. One worker at a time holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """`attempt` holds slice `slice_name` of a job until `until`, or longer if it renews the lease.

    `turn` counts the attempts that have held it, from 1.
    """

    job_id: str
    slice_name: str
    attempt: str
    until: datetime
    turn: int
