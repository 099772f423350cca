"""The ledger: one DynamoDB table, written with conditions.

The key is `job` + `fact`. A job has `submission#00003#r0`, the submission of shard 3 in round 0; `failure#3`, that
shard's failure, which the state machine writes itself; and `halt`, why the job sends no more requests. A Message Batch
has `claim` under `batch#<id>`: the submission that owns it. An API key has `witness` under `key#<fingerprint>`: the
last Message Batch that was accepted with it. Items expire LEDGER_KEPT after their first write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from batchdrop.adapters.aws.dynamodb_facts import LEASE, facts_of
from batchdrop.errors import JobCanceled
from batchdrop.job.submission import Halt, ShardFailure, Submission
from batchdrop.limits import LEDGER_KEPT
from batchdrop.live_lane.slice import names_of_round

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SUBMISSION = "submission#"
FAILURE = "failure#"
HALT = "halt"
KEY = "key#"
CANCELED = JobCanceled.__name__


class DynamoLedger:
    """Ledger on a DynamoDB table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._errors = table.meta.client.exceptions

    def begin(self, intent: Submission) -> Submission:
        """Write the intent if there is none, or an armed one. Return the submission that the ledger then holds."""
        try:
            self._table.put_item(
                Item=_item(intent), ConditionExpression=Attr("fact").not_exists() | Attr("state").eq("armed")
            )
        except self._errors.ConditionalCheckFailedException:
            return self._standing(intent)
        return intent

    def end_attempt(self, submission: Submission, at: datetime, *, misled: bool = False) -> None:
        """Move `over_at` of a sent attempt to `at`."""
        values = {":at": at.isoformat(), ":misled": misled}
        self._update_if_current(submission, "SET over_at = :at, misled = :misled", values)

    def accept(self, submission: Submission, batch_id: str) -> Submission:
        """Write the Message Batch's id and its claim in one transaction. Return what the ledger then holds."""
        claim = {
            **_claim_key(batch_id),
            "by": _where(submission),
            "expires_at": _expires_at(submission.sent_at),
        }
        update: Any = {
            "Key": _key(submission),
            "UpdateExpression": "SET #state = :accepted, batch_id = :id",
            "ConditionExpression": "attempt = :attempt AND #state = :sent",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":accepted": "accepted",
                ":id": batch_id,
                ":attempt": submission.attempt,
                ":sent": "sent",
            },
        }
        put: Any = {"Item": claim, "ConditionExpression": "attribute_not_exists(fact)"}
        self._transact({"Update": update}, {"Put": put})
        standing = self._standing(submission)
        if standing.batch_id == batch_id and submission.key_print:
            self._table.put_item(Item=_witness(submission, batch_id))
        return standing

    def disown(self, submission: Submission, batch_id: str) -> None:
        """Take an accepted Message Batch back, and delete its claim, in one transaction."""
        update: Any = {
            "Key": _key(submission),
            "UpdateExpression": "SET #state = :sent, misled = :misled, ruled_out = :ids REMOVE batch_id",
            "ConditionExpression": "attempt = :attempt AND #state = :accepted AND batch_id = :id",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":sent": "sent",
                ":misled": True,
                ":ids": [batch_id, *submission.ruled_out],
                ":attempt": submission.attempt,
                ":accepted": "accepted",
                ":id": batch_id,
            },
        }
        self._transact({"Update": update}, {"Delete": {"Key": _claim_key(batch_id)}})

    def rearm(self, submission: Submission) -> None:
        """Make a sent attempt armed."""
        self._update_if_current(submission, "SET #state = :armed", {":armed": "armed"})

    def witness(self, key_print: str) -> str | None:
        """Return the last Message Batch of a key."""
        key = {"job": f"{KEY}{key_print}", "fact": "witness"}
        item: Any = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return None if item is None else item["batch_id"]

    def rule_out(self, submission: Submission, batch_ids: Sequence[str]) -> None:
        """Write the ids of others' Message Batches."""
        self._update_if_current(submission, "SET ruled_out = :ids", {":ids": [*batch_ids]})

    def submission(self, job_id: str, shard: int, round_number: int) -> Submission | None:
        """Return one submission."""
        key = {"job": job_id, "fact": _fact(shard, round_number)}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return None if item is None else _submission(item)

    def submissions(self, job_id: str) -> list[Submission]:
        """Return a job's submissions, by shard and round."""
        return [_submission(item) for item in facts_of(self._table, job_id, SUBMISSION)]

    def tries_left(self, job_id: str, shard: int, round_number: int) -> list[str]:
        """Return the tries that a round's leases have."""
        leases = facts_of(self._table, job_id, LEASE + names_of_round(shard, round_number))
        return [lease["tries"] for lease in leases if lease.get("tries")]

    def collected(self, job_id: str, shard: int, round_number: int, at: datetime) -> None:
        """Record when a submission's answers first reached the bucket. An expired submission is not written again."""
        try:
            self._table.update_item(
                Key={"job": job_id, "fact": _fact(shard, round_number)},
                UpdateExpression="SET collected_at = :at",
                ConditionExpression="attribute_exists(fact) AND attribute_not_exists(collected_at)",
                ExpressionAttributeValues={":at": at.isoformat()},
            )
        except self._errors.ConditionalCheckFailedException:
            return

    def uncollected(self, sent_before: datetime) -> Iterator[Submission]:
        """Scan for accepted submissions without answers. The table holds LEDGER_KEPT of them at most."""
        condition = (
            Attr("state").eq("accepted")
            & Attr("collected_at").not_exists()
            & Attr("sent_at").lt(sent_before.isoformat())
        )
        scan: dict[str, Any] = {"FilterExpression": condition}
        while True:
            page = self._table.scan(**scan)
            yield from map(_submission, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            scan["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def is_claimed(self, batch_id: str) -> bool:
        """Tell whether a submission owns a Message Batch already."""
        return "Item" in self._table.get_item(Key=_claim_key(batch_id), ConsistentRead=True)

    def claimant(self, batch_id: str) -> Submission | None:
        """Return the submission that owns a Message Batch."""
        item: Any = self._table.get_item(Key=_claim_key(batch_id), ConsistentRead=True).get("Item")
        if item is None:
            return None
        job_id, _, shard, _, round_number = item["by"].split()  # as `_where` writes it
        return self.submission(job_id, int(shard), int(round_number))

    def shard_failures(self, job_id: str) -> list[ShardFailure]:
        """Return a job's failed shards, by number."""
        failures = [
            ShardFailure(int(item["fact"].removeprefix(FAILURE)), item["error"], item["cause"])
            for item in facts_of(self._table, job_id, FAILURE)
        ]
        return sorted(failures, key=lambda failure: failure.shard)

    def halt(self, job_id: str, halt: Halt) -> None:
        """Write why the job sends no more, unless a reason is there. The user's cancel replaces any other reason."""
        free: ConditionBase = Attr("fact").not_exists()
        if halt.error == CANCELED:
            free |= Attr("error").ne(CANCELED)
        item: Any = {
            "job": job_id,
            "fact": HALT,
            "error": halt.error,
            "reason": halt.reason,
            "at": halt.at.isoformat(),
            "expires_at": _expires_at(halt.at),
        }
        try:
            self._table.put_item(Item=item, ConditionExpression=free)
        except self._errors.ConditionalCheckFailedException:
            return

    def halted(self, job_id: str) -> Halt | None:
        """Return why the job sends no more requests."""
        item: Any = self._table.get_item(Key={"job": job_id, "fact": HALT}, ConsistentRead=True).get("Item")
        return None if item is None else Halt(item["error"], item["reason"], datetime.fromisoformat(item["at"]))

    def lift(self, job_id: str) -> None:
        """Delete the job's halt and its shards' failures."""
        self._table.delete_item(Key={"job": job_id, "fact": HALT})
        for item in facts_of(self._table, job_id, FAILURE):
            self._table.delete_item(Key={"job": job_id, "fact": item["fact"]})

    def _transact(self, *steps: Any) -> None:
        """Do all steps, or none of them if a condition does not hold."""
        named: Any = [{kind: {"TableName": self._table.name, **step[kind]} for kind in step} for step in steps]
        try:
            self._table.meta.client.transact_write_items(TransactItems=named)
        except self._errors.TransactionCanceledException as refusal:
            if not _is_by_condition(refusal):
                raise

    def _update_if_current(self, submission: Submission, update: str, values: dict[str, Any]) -> None:
        try:
            self._table.update_item(
                Key=_key(submission),
                UpdateExpression=update,
                ConditionExpression="attempt = :attempt AND #state = :sent",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":attempt": submission.attempt, ":sent": "sent", **values},
            )
        except self._errors.ConditionalCheckFailedException:
            return  # another attempt, or an answer, was faster

    def _standing(self, submission: Submission) -> Submission:
        standing = self.submission(submission.job_id, submission.shard, submission.round_number)
        if standing is None:
            message = f"the ledger lost the submission of {_where(submission)}"
            raise LookupError(message)
        return standing


def _fact(shard: int, round_number: int) -> str:
    return f"{SUBMISSION}{shard:05d}#r{round_number}"


def _key(submission: Submission) -> dict[str, Any]:
    return {"job": submission.job_id, "fact": _fact(submission.shard, submission.round_number)}


def _claim_key(batch_id: str) -> dict[str, str]:
    return {"job": f"batch#{batch_id}", "fact": "claim"}


def _where(submission: Submission) -> str:
    return f"{submission.job_id} shard {submission.shard} round {submission.round_number}"


def _expires_at(written_at: datetime) -> int:
    return int((written_at + LEDGER_KEPT).timestamp())


def _witness(submission: Submission, batch_id: str) -> dict[str, Any]:
    """Return the item that names a Message Batch of a key; a later one takes its place."""
    expires_at = _expires_at(submission.sent_at)
    key = f"{KEY}{submission.key_print}"
    return {"job": key, "fact": "witness", "batch_id": batch_id, "expires_at": expires_at}


def _is_by_condition(refusal: Any) -> bool:
    """Tell whether only a condition canceled the transaction, which is an answer and no fault."""
    codes = {reason.get("Code") for reason in refusal.response.get("CancellationReasons", [])}
    return codes <= {"ConditionalCheckFailed", "None"}


def _item(submission: Submission) -> dict[str, Any]:
    return {
        **_key(submission),
        "shard": submission.shard,
        "round": submission.round_number,
        "requests": submission.requests,
        "attempt": submission.attempt,
        "sent_at": submission.sent_at.isoformat(),
        "over_at": submission.over_at.isoformat(),
        "state": submission.state,
        "workspace": submission.workspace,
        "key_print": submission.key_print,
        "expires_at": _expires_at(submission.sent_at),
    }


def _submission(item: dict[str, Any]) -> Submission:
    return Submission(
        job_id=item["job"],
        shard=int(item["shard"]),
        round_number=int(item["round"]),
        requests=int(item["requests"]),
        attempt=item["attempt"],
        sent_at=datetime.fromisoformat(item["sent_at"]),
        over_at=datetime.fromisoformat(item["over_at"]),
        state=item["state"],
        batch_id=item.get("batch_id"),
        collected_at=datetime.fromisoformat(item["collected_at"]) if "collected_at" in item else None,
        workspace=item.get("workspace", ""),
        key_print=item.get("key_print", ""),
        ruled_out=tuple(item.get("ruled_out", ())),
        misled=item.get("misled", False),
    )
