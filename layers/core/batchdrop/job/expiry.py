"""Whether a job's records can still be there: without them, its rows would be paid for again."""

from __future__ import annotations

from datetime import datetime, timedelta

from batchdrop.errors import JobExpired

RESUMABLE = timedelta(days=30)  # ours: the least JobFilesDays; the ledger keeps what was sent for LEDGER_KEPT


def refuse_if_expired(job_id: str, uploaded_at: datetime, *, now: datetime) -> None:
    """Raise JobExpired once the bucket or the ledger may have forgotten what the job has sent."""
    expired_at = uploaded_at + RESUMABLE
    if now < expired_at:
        return
    message = (
        f"job {job_id} cannot be started or resumed since {expired_at:%Y-%m-%d}: the records of what it sent are kept "
        f"for {RESUMABLE.days} days, and without them every row would be paid for again. Nothing was sent. Drop the "
        "rows that you still need, such as its failed.jsonl, as a new file"
    )
    raise JobExpired(message)
