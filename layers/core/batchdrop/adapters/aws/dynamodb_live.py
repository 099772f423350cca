"""The live lane's part of the ledger: leases of slices, and the fleet's permits.

`lease#<slice>` of a job is a slice's lease; its `done` is how many requests of the slice had their result line when it
was last moved, for people to see (adapters/dynamodb_progress.py). Under `permits#<model>`, `permits` is what the
workers of all jobs share: its state as one JSON text, and a version that every write compares. Items expire as the
ledger's others do.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.conditions import Attr

from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

LEASE = "lease#"
PERMITS = "permits"


class DynamoLeases:
    """Leases on the ledger's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free; return what stands then."""
        free = Attr("fact").not_exists() | Attr("until").lte(now.isoformat()) | Attr("attempt").eq(attempt)
        try:
            taken: Any = self._table.update_item(
                Key={"job": job_id, "fact": LEASE + slice_name},
                UpdateExpression="SET attempt = :attempt, #until = :until, expires_at = :expires ADD turn :one",
                ConditionExpression=free,
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={
                    ":attempt": attempt,
                    ":until": until.isoformat(),
                    ":expires": int((now + LEDGER_KEPT).timestamp()),
                    ":one": 1,
                },
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except self._errors.ConditionalCheckFailedException:
            taken = self._table.get_item(Key={"job": job_id, "fact": LEASE + slice_name}, ConsistentRead=True)["Item"]
        until = datetime.fromisoformat(taken["until"])
        return Lease(job_id, slice_name, taken["attempt"], until, int(taken["turn"]))

    def renew(self, lease: Lease, until: datetime, *, done: int) -> bool:
        """Move a lease on, and note how far its slice is; False if another attempt has it now."""
        try:
            self._table.update_item(
                Key={"job": lease.job_id, "fact": LEASE + lease.slice_name},
                UpdateExpression="SET #until = :until, done = :done",
                ConditionExpression=Attr("attempt").eq(lease.attempt),
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues={":until": until.isoformat(), ":done": done},
            )
        except self._errors.ConditionalCheckFailedException:
            return False
        return True

    def release(self, lease: Lease, now: datetime, *, done: int) -> None:
        """Let a lease run out now."""
        self.renew(lease, now, done=done)


class DynamoPermits:
    """Permits on the ledger's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write the state if the one that was seen still stands; the refusal brings what stands instead."""
        item: Any = {
            "job": f"permits#{model}",
            "fact": PERMITS,
            "version": seen.version + 1,
            "state": msgspec.json.encode(state).decode(),
            "expires_at": int(state.at + LEDGER_KEPT.total_seconds()),
        }
        unchanged = Attr("version").eq(seen.version) if seen.version else Attr("version").not_exists()
        try:
            self._table.put_item(
                Item=item, ConditionExpression=unchanged, ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        except self._errors.ConditionalCheckFailedException as refusal:
            return self._standing(model, refusal)
        return None

    def _standing(self, model: str, refusal: Any) -> Versioned:
        """Return what the refusal brought; it brings nothing if the item has expired meanwhile."""
        item: Any = refusal.response.get("Item")
        if item is None:
            key = {"job": f"permits#{model}", "fact": PERMITS}
            item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return Versioned(None, 0)
        version = item["version"]
        state = item["state"]
        if isinstance(version, dict):  # the refusal's item comes in DynamoDB's own notation
            version, state = version["N"], state["S"]
        return Versioned(msgspec.json.decode(state, type=PermitState), int(version))
