"""A lease: the right to ask a slice's requests, held by one worker at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """Slice `slice_name` of a job is asked by `attempt`, until `until` unless that is moved on.

    `turn` counts the attempts that held it, from 1.
    """

    job_id: str
    slice_name: str
    attempt: str
    until: datetime
    turn: int
