"""The ledger: one DynamoDB table, written with conditions.

Key `job` + `fact`: `submission#00003#r0` is the submission of shard 3, round 0; `failure#3` is that shard's
failure, written by the state machine itself. Items expire 35 days after their last write.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, Key

from batchdrop.domain.limits import LEDGER_KEPT
from batchdrop.ports import ShardFailure, Submission

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SUBMISSION = "submission#"
FAILURE = "failure#"


class DynamoLedger:
    """Ledger on a DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def intend(self, submission: Submission) -> Submission | None:
        """Write an intent unless one is there; return what was there before."""
        item = {
            **_submission_key(submission),
            "shard": submission.shard,
            "round": submission.asked_round,
            "requests": submission.requests,
            "intended_at": submission.intended_at.isoformat(),
            "expires_at": int((submission.intended_at + LEDGER_KEPT).timestamp()),
        }
        try:
            self._table.put_item(
                Item=item,
                ConditionExpression=Attr("fact").not_exists(),
            )
        except self._refused as refusal:
            return self._present(submission, refusal)
        return None

    def record(self, submission: Submission, batch_id: str) -> None:
        """Write the Message Batch's id beside its intent."""
        self._table.update_item(
            Key=_submission_key(submission),
            UpdateExpression="SET batch_id = :id",
            ExpressionAttributeValues={":id": batch_id},
            ConditionExpression=Attr("batch_id").not_exists() | Attr("batch_id").eq(batch_id),
        )

    def clear(self, submission: Submission) -> None:
        """Remove an intent that became nothing; one with a Message Batch stays."""
        self._table.delete_item(Key=_submission_key(submission), ConditionExpression=Attr("batch_id").not_exists())

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""
        return [_submission(item) for item in self._facts(job_id, SUBMISSION)]

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""
        failures = [
            ShardFailure(int(item["fact"].removeprefix(FAILURE)), item["error"], item["cause"])
            for item in self._facts(job_id, FAILURE)
        ]
        return sorted(failures, key=lambda failure: failure.shard)

    @property
    def _refused(self) -> type[Exception]:
        return self._table.meta.client.exceptions.ConditionalCheckFailedException

    def _present(self, submission: Submission, refusal: Any) -> Submission:
        """Return the intent that was in the way."""
        item = self._table.get_item(Key=_submission_key(submission), ConsistentRead=True).get("Item")
        if item is None:  # it was cleared between the two calls: the attempt that cleared it may try again itself
            raise refusal
        return _submission(item)

    def _facts(self, job_id: str, kind: str) -> list[dict[str, Any]]:
        condition = Key("job").eq(job_id) & Key("fact").begins_with(kind)
        query: dict[str, Any] = {"KeyConditionExpression": condition, "ConsistentRead": True}
        items: list[dict[str, Any]] = []
        while True:
            page = self._table.query(**query)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _submission_key(submission: Submission) -> dict[str, Any]:
    return {"job": submission.job_id, "fact": f"{SUBMISSION}{submission.shard:05d}#r{submission.asked_round}"}


def _submission(item: dict[str, Any]) -> Submission:
    return Submission(
        job_id=item["job"],
        shard=int(item["shard"]),
        asked_round=int(item["round"]),
        requests=int(item["requests"]),
        intended_at=datetime.fromisoformat(item["intended_at"]),
        batch_id=item.get("batch_id"),
    )
