"""The live lane's part of the ledger in a SQLite file; the items are those of dynamodb_live.py."""

from __future__ import annotations

from datetime import datetime

import msgspec

from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned

LEASE = "lease#"
PERMITS = "permits"


class SqliteLeases:
    """Leases in a SQLite file."""

    def __init__(self, file: FactFile) -> None:
        self._file = file

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free. Return the lease that the ledger then holds."""
        with self._file.writing() as facts:
            item = facts.get(job_id, LEASE + slice_name) or {"turn": 0}
            is_free = not item["turn"] or datetime.fromisoformat(item["until"]) <= now or item["attempt"] == attempt
            if is_free:
                item |= {"attempt": attempt, "until": until.isoformat(), "turn": item["turn"] + 1}
                facts.put(job_id, LEASE + slice_name, item)
        return Lease(job_id, slice_name, item["attempt"], datetime.fromisoformat(item["until"]), item["turn"])

    def renew(self, lease: Lease, until: datetime, *, done: int) -> bool:
        """Renew a lease and record how far its slice is. Return False if another attempt holds it now."""
        with self._file.writing() as facts:
            item = facts.get(lease.job_id, LEASE + lease.slice_name)
            if item is None or item["attempt"] != lease.attempt:
                return False
            facts.put(lease.job_id, LEASE + lease.slice_name, item | {"until": until.isoformat(), "done": done})
            return True

    def release(self, lease: Lease, now: datetime, *, done: int) -> None:
        """End a lease now."""
        self.renew(lease, now, done=done)


class SqlitePermits:
    """Permits in a SQLite file."""

    def __init__(self, file: FactFile) -> None:
        self._file = file

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write the state if nobody has written since `seen`. Else return the state that stands instead."""
        key = f"permits#{model}"
        with self._file.writing() as facts:
            item = facts.get(key, PERMITS)
            version = 0 if item is None else item["version"]
            if version == seen.version:
                facts.put(key, PERMITS, {"version": version + 1, "state": msgspec.to_builtins(state)})
                return None
        return Versioned(None if item is None else msgspec.convert(item["state"], PermitState), version)
