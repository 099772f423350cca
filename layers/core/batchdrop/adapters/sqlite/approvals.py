"""Approvals of samples in a SQLite file; the items are those of dynamodb_approvals.py."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from batchdrop.adapters.sqlite.fact_file import FactFile

APPROVAL = "approval"
WAITS = "waits#"


class SqliteApprovals:
    """Approvals in a SQLite file."""

    def __init__(self, file: FactFile) -> None:
        self._file = file

    def approve(self, job_id: str, at: datetime) -> datetime:
        """Write the approval unless there is one. Return when it was first given."""
        with self._file.writing() as facts:
            known = facts.get(job_id, APPROVAL)
            if known is not None:
                return datetime.fromisoformat(known["at"])
            facts.put(job_id, APPROVAL, {"at": at.isoformat()})
            return at

    def approved(self, job_id: str) -> datetime | None:
        """Return when the rest was approved."""
        with self._file.reading() as facts:
            item = facts.get(job_id, APPROVAL)
        return None if item is None else datetime.fromisoformat(item["at"])

    def keep_token(self, job_id: str, token: str, at: datetime) -> None:
        """Keep the token of a waiting task."""
        fact = WAITS + blake2b(token.encode(), digest_size=16).hexdigest()
        with self._file.writing() as facts:
            facts.put(job_id, fact, {"at": at.isoformat(), "token": token})

    def tokens(self, job_id: str) -> list[str]:
        """Return the tokens of all tasks that ever waited."""
        with self._file.reading() as facts:
            return [str(item["token"]) for _, item in facts.beginning(job_id, WAITS)]
