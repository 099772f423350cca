"""The live lane's part of the ledger in a SQLite file; the items are those of dynamodb_live.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from batchdrop.adapters.sqlite.fact_file import FactFile
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned, state_from

LEASE = "lease#"
PERMITS = "permits"
FREE = "released"


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
        until, turn = datetime.fromisoformat(item["until"]), item["turn"]
        crashes = turn - 1 - item.get("released", 0)
        return Lease(job_id, slice_name, item["attempt"], until, turn, crashes, item.get("tries", ""))

    def renew(self, lease: Lease, until: datetime, *, done: int, tries: str = "") -> bool:
        """Renew a lease and record how far its slice is. Return False if another attempt holds it now."""
        return self._update(lease, {"until": until.isoformat(), "done": done, "tries": tries})

    def release(self, lease: Lease, now: datetime, *, done: int, tries: str = "") -> None:
        """End a lease now, and count that."""
        change = {"until": now.isoformat(), "done": done, "tries": tries, "attempt": f"{lease.attempt} {FREE}"}
        self._update(lease, change, released=1)

    def _update(self, lease: Lease, change: dict[str, Any], *, released: int = 0) -> bool:
        with self._file.writing() as facts:
            item = facts.get(lease.job_id, LEASE + lease.slice_name)
            if item is None or item["attempt"] != lease.attempt:
                return False
            counted = {"released": item.get("released", 0) + released}
            facts.put(lease.job_id, LEASE + lease.slice_name, item | change | counted)
            return True


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
        standing = None if item is None else state_from(msgspec.json.encode(item["state"]).decode())
        return Versioned(standing, version)
