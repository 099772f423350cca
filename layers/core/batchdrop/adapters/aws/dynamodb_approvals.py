"""Approvals in the ledger's table.

A job has `approval`, when its rest was approved, and `waits#<digest of the token>` for each task that waits for that.
Each token has an item of its own, so that a late attempt cannot overwrite a new token with its old one.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr

from batchdrop.adapters.aws.dynamodb_facts import facts_of
from batchdrop.limits import LEDGER_KEPT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

APPROVAL = "approval"
WAITS = "waits#"


class DynamoApprovals:
    """Approvals on a DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def approve(self, job_id: str, at: datetime) -> datetime:
        """Write the approval unless there is one. Return when it was first given."""
        try:
            self._table.put_item(Item=_item(job_id, APPROVAL, at), ConditionExpression=Attr("fact").not_exists())
        except self._errors.ConditionalCheckFailedException:
            return self.approved(job_id) or at
        return at

    def approved(self, job_id: str) -> datetime | None:
        """Return when the rest was approved."""
        item: Any = self._table.get_item(Key={"job": job_id, "fact": APPROVAL}, ConsistentRead=True).get("Item")
        return None if item is None else datetime.fromisoformat(item["at"])

    def keep_token(self, job_id: str, token: str, at: datetime) -> None:
        """Keep the token of a waiting task."""
        fact = WAITS + blake2b(token.encode(), digest_size=16).hexdigest()
        self._table.put_item(Item=_item(job_id, fact, at) | {"token": token})

    def tokens(self, job_id: str) -> list[str]:
        """Return the tokens of all tasks that ever waited."""
        return [str(item["token"]) for item in facts_of(self._table, job_id, WAITS)]


def _item(job_id: str, fact: str, at: datetime) -> dict[str, Any]:
    expires_at = int((at + LEDGER_KEPT).timestamp())
    return {"job": job_id, "fact": fact, "at": at.isoformat(), "expires_at": expires_at}
