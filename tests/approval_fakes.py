"""An in-memory stand-in for Approvals. `tests/contract/test_approvals.py` holds it to what DynamoDB does."""

from __future__ import annotations

from datetime import datetime


class FakeApprovals:
    """Approvals and tokens in dictionaries."""

    def __init__(self) -> None:
        self._approved: dict[str, datetime] = {}
        self._tokens: dict[str, list[str]] = {}

    def approve(self, job_id: str, at: datetime) -> datetime:
        """Write the approval, unless it is there."""
        return self._approved.setdefault(job_id, at)

    def approved(self, job_id: str) -> datetime | None:
        """Return when the rest was approved."""
        return self._approved.get(job_id)

    def keep_token(self, job_id: str, token: str, at: datetime) -> None:
        """Remember a waiting task."""
        kept = self._tokens.setdefault(job_id, [])
        kept += [token] if token not in kept else []

    def tokens(self, job_id: str) -> list[str]:
        """Return the tokens of all tasks that ever waited."""
        return list(self._tokens.get(job_id, []))
