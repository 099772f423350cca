"""The progress of running jobs in a SQLite file; the items are those of dynamodb_progress.py."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from batchdrop.adapters.sqlite.fact_file import FactFile, Facts
from batchdrop.adapters.sqlite.live import LEASE
from batchdrop.job.job_progress import ShardProgress
from batchdrop.live_lane.slice import names_of_round

PROGRESS = "progress#"
STATUS_PAGE = "status_page"


class SqliteProgressBoard:
    """ProgressBoard in a SQLite file."""

    def __init__(self, file: FactFile) -> None:
        self._file = file

    def note(self, job_id: str, progress: ShardProgress) -> None:
        """Write the shard's progress unless a later one is there."""
        item = msgspec.to_builtins(progress)
        self._put_if_older(job_id, f"{PROGRESS}{progress.shard:05d}", item, progress.at)

    def noted(self, job_id: str) -> list[ShardProgress]:
        """Return the progress of all shards, in order."""
        with self._file.reading() as facts:
            found = [msgspec.convert(item, ShardProgress) for _, item in facts.beginning(job_id, PROGRESS)]
            return [one.less(_done(facts, job_id, one)) if one.is_live else one for one in found]

    def take_turn(self, job_id: str, now: datetime, every: timedelta) -> bool:
        """Record that the page is drawn now, if it was last drawn long enough ago. Return whether it was."""
        return self._put_if_older(job_id, STATUS_PAGE, {"at": now.isoformat()}, now - every)

    def _put_if_older(self, job_id: str, fact: str, item: dict[str, Any], latest: datetime) -> bool:
        """Write the item, unless one is there whose `at` is later than `latest`. Return whether it was written."""
        with self._file.writing() as facts:
            known = facts.get(job_id, fact)
            if known is not None and datetime.fromisoformat(known["at"]) > latest:
                return False
            facts.put(job_id, fact, item)
            return True


def _done(facts: Facts, job_id: str, progress: ShardProgress) -> int:
    leases = facts.beginning(job_id, LEASE + names_of_round(progress.shard, progress.round))
    return sum(int(lease.get("done", 0)) for _, lease in leases)
