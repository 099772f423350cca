"""The progress of running jobs in the ledger. It is for people; no code decides by it.

A job has `progress#00003` for shard 3: `shard`, `stage` (`asked` or `collected`), `round` (from 0), `lane`, `at` (ISO
8601, UTC), `requests` and `processing` of the round, `answered`, `unusable` and `failed` rows of a collected shard,
`batch_id`. A live round is recorded once, when it begins. After that the leases of its slices (dynamodb_live.py) carry
its progress, which costs no write. `status_page` holds `at`, when `status.html` was last drawn. Items expire like all
of the ledger.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.conditions import Attr

from batchdrop.adapters.aws.dynamodb_facts import LEASE, facts_of
from batchdrop.job.job_progress import ShardProgress
from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.slice import names_of_round

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_NUMBERS = ("shard", "round", "requests", "processing", "answered", "unusable", "failed")
PROGRESS = "progress#"
STATUS_PAGE = "status_page"


class DynamoProgressBoard:
    """ProgressBoard on the ledger's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def note(self, job_id: str, progress: ShardProgress) -> None:
        """Write the shard's progress unless a later one is there."""
        item: dict[str, Any] = {
            **msgspec.to_builtins(progress),
            "job": job_id,
            "fact": f"{PROGRESS}{progress.shard:05d}",
            "at": progress.at.isoformat(),
            "expires_at": _expires_at(progress.at),
        }
        self._put(item, Attr("fact").not_exists() | Attr("at").lte(item["at"]))

    def noted(self, job_id: str) -> list[ShardProgress]:
        """Return the progress of all shards, in order."""
        found = [msgspec.convert(_plain(item), ShardProgress) for item in facts_of(self._table, job_id, PROGRESS)]
        return [one.less(self._done(job_id, one)) if one.is_live else one for one in found]

    def _done(self, job_id: str, progress: ShardProgress) -> int:
        leases = facts_of(self._table, job_id, LEASE + names_of_round(progress.shard, progress.round))
        return sum(int(lease.get("done", 0)) for lease in leases)

    def take_turn(self, job_id: str, now: datetime, every: timedelta) -> bool:
        """Record that the page is drawn now, if it was last drawn long enough ago. Return whether it was."""
        item = {"job": job_id, "fact": STATUS_PAGE, "at": now.isoformat(), "expires_at": _expires_at(now)}
        return self._put(item, Attr("fact").not_exists() | Attr("at").lte((now - every).isoformat()))

    def _put(self, item: dict[str, Any], condition: Any) -> bool:
        try:
            self._table.put_item(Item=item, ConditionExpression=condition)
        except self._errors.ConditionalCheckFailedException:
            return False
        return True


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with whole numbers in place of DynamoDB's decimals."""
    return {**item, **{name: int(item[name]) for name in _NUMBERS if name in item}}


def _expires_at(at: datetime) -> int:
    return int((at + LEDGER_KEPT).timestamp())
