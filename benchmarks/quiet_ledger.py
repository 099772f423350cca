"""The ledger of a job that nobody halts, that lost no answer, and that has no budget."""

from __future__ import annotations

from datetime import datetime
from typing import Any


class QuietLedger:
    """As much of a Ledger as collecting and closing use."""

    def submission(self, _job_id: str, _shard: int, _asked_round: int) -> None:
        """Return that nothing is known: the manifest's count is expected."""

    def submissions(self, _job_id: str) -> list[Any]:
        """Return none."""
        return []

    def collected(self, job_id: str, shard: int, asked_round: int, at: datetime) -> None:
        """Note nothing."""

    def halted(self, _job_id: str) -> None:
        """Return that the job may go on."""

    def shard_failures(self, _job_id: str) -> list[Any]:
        """Return none."""
        return []

    def __getattr__(self, name: str) -> Any:
        """Nothing else is needed."""
        raise AttributeError(name)
