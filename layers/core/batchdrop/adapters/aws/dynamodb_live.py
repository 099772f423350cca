"""The live lane's part of the ledger: leases of slices, and the permits that all workers share.

A job has `lease#<slice>` for each slice. Its `done` counts the requests that had a result line at the last renewal, for
people to see (dynamodb_progress.py). `released` counts the attempts that released it, and `tries` has those of the
slice's open requests. `permits` under `permits#<model>` is the shared state as one JSON text, with a
version that every write compares. Items expire as the ledger's others do.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from boto3.dynamodb.conditions import Attr

from batchdrop.adapters.aws.dynamodb_facts import LEASE
from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.lease import Lease
from batchdrop.live_lane.permits import PermitState, Versioned, state_from

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

PERMITS = "permits"
FREE = "released"


class DynamoLeases:
    """Leases on the ledger's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def take(self, job_id: str, slice_name: str, attempt: str, *, now: datetime, until: datetime) -> Lease:
        """Take the lease if it is free. Return the lease that the ledger then holds."""
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
        until, turn = datetime.fromisoformat(taken["until"]), int(taken["turn"])
        crashes = turn - 1 - int(taken.get("released", 0))
        return Lease(job_id, slice_name, taken["attempt"], until, turn, crashes, taken.get("tries", ""))

    def renew(self, lease: Lease, until: datetime, *, done: int, tries: str = "") -> bool:
        """Renew a lease and record how far its slice is. Return False if another attempt holds it now."""
        return self._update(lease, "SET #until = :until, done = :done, tries = :tries", until, done, tries)

    def release(self, lease: Lease, now: datetime, *, done: int, tries: str = "") -> None:
        """End a lease now. An attempt that releases its lease twice counts once: the first one renames it."""
        change = "SET #until = :until, done = :done, tries = :tries, attempt = :free ADD released :one"
        self._update(lease, change, now, done, tries, more={":free": f"{lease.attempt} {FREE}", ":one": 1})

    def _update(
        self, lease: Lease, change: str, until: datetime, done: int, tries: str, more: dict[str, Any] | None = None
    ) -> bool:
        values = {":until": until.isoformat(), ":done": done, ":tries": tries, **(more or {})}
        try:
            self._table.update_item(
                Key={"job": lease.job_id, "fact": LEASE + lease.slice_name},
                UpdateExpression=change,
                ConditionExpression=Attr("attempt").eq(lease.attempt),
                ExpressionAttributeNames={"#until": "until"},
                ExpressionAttributeValues=values,
            )
        except self._errors.ConditionalCheckFailedException:
            return False
        return True


class DynamoPermits:
    """Permits on the ledger's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def replace(self, model: str, seen: Versioned, state: PermitState) -> Versioned | None:
        """Write the state if nobody has written since `seen`. Else return the state that stands instead."""
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
        """Return the state that came with the refusal. It has none if the item has expired meanwhile."""
        item: Any = refusal.response.get("Item")
        if item is None:
            key = {"job": f"permits#{model}", "fact": PERMITS}
            item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return Versioned(None, 0)
        version = item["version"]
        state = item["state"]
        if isinstance(version, dict):  # the item of a refusal is in DynamoDB's own notation
            version, state = version["N"], state["S"]
        return Versioned(state_from(state), int(version))
