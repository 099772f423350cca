"""The ledger of a job without halts, lost answers or budget."""

from __future__ import annotations

from datetime import datetime
from typing import Any


class QuietLedger:
    """The part of a Ledger that collecting and closing use."""

    def submission(self, _job_id: str, _shard: int, _asked_round: int) -> None:
        """Return None: the manifest's count is used."""

    def submissions(self, _job_id: str) -> list[Any]:
        """Return none."""
        return []

    def tries_left(self, _job_id: str, _shard: int, _round_number: int) -> list[str]:
        """Return none."""
        return []

    def collected(self, job_id: str, shard: int, round_number: int, at: datetime) -> None:
        """Do nothing."""

    def halted(self, _job_id: str) -> None:
        """Return that the job continues."""

    def shard_failures(self, _job_id: str) -> list[Any]:
        """Return none."""
        return []

    def __getattr__(self, name: str) -> Any:
        """Raise: nothing else is needed."""
        raise AttributeError(name)
