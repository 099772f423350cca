"""A DynamoDB table in a dictionary: as much of boto3's Table as the real DynamoLedger uses.

So the ledger under test is the product's own, call by call; a condition, update or parameter that is not known here is
refused, never guessed. `call` stands around each request, and may crash, stall or throttle it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import botocore.session
from boto3.dynamodb.conditions import ConditionBase
from botocore.exceptions import ClientError

from batchdrop.adapters.aws.faults import translated
from tests.faults.table_words import Item, Update, all_hold, holds, key_of

T = TypeVar("T")
Call = Callable[[str, Callable[[], Any]], Any]  # name of the request, what it does -> what it answers

NOT_MET = "ConditionalCheckFailedException"


class _Meta(NamedTuple):
    client: Any


class MemoryTable:
    """One table with the keys `job` and `fact`."""

    name = "ledger"

    def __init__(self, call: Call) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.meta = _Meta(_Client(self))
        self.call = call

    def put_item(
        self,
        *,
        Item: Item,  # noqa: N803 - boto3's
        ConditionExpression: ConditionBase | None = None,  # noqa: N803 - likewise
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803 - likewise
    ) -> None:
        """Write an item."""

        def put() -> None:
            standing = self.item(Item)
            if ConditionExpression is not None and not holds(ConditionExpression, standing):
                refusal = _error(operation="PutItem", code=NOT_MET)
                if ReturnValuesOnConditionCheckFailure == "ALL_OLD" and standing is not None:
                    refusal.response["Item"] = dict(standing)  # type: ignore[typeddict-unknown-key]  # as AWS does
                raise refusal
            self.items[key_of(Item)] = dict(Item)

        self.call("put_item", put)

    def update_item(self, **request: Any) -> dict[str, Any]:
        """Change an item."""

        def update() -> dict[str, Any]:
            change = Update(request)
            if not change.may(self.item(request["Key"])):
                raise _error(operation="UpdateItem", code=NOT_MET)
            changed = change.apply(self.items)
            return {"Attributes": changed} if request.get("ReturnValues") == "ALL_NEW" else {}

        answer: dict[str, Any] = self.call("update_item", update)
        return answer

    def get_item(self, *, Key: Item, ConsistentRead: bool) -> dict[str, Any]:  # noqa: N803 - boto3's
        """Read an item."""
        assert ConsistentRead, "the ledger must not read what is out of date"

        def get() -> dict[str, Any]:
            found = self.item(Key)
            return {} if found is None else {"Item": dict(found)}

        answer: dict[str, Any] = self.call("get_item", get)
        return answer

    def delete_item(self, *, Key: Item) -> None:  # noqa: N803 - boto3's
        """Delete an item."""
        self.call("delete_item", lambda: self.items.pop(key_of(Key), None))

    def query(self, *, KeyConditionExpression: ConditionBase, ConsistentRead: bool, **more: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
        """Read a job's items, in order, one a page so that paging is walked, too."""
        assert ConsistentRead, "the ledger must not read what is out of date"
        assert more.keys() <= {"ExclusiveStartKey"}, f"not known here: {sorted(more)}"

        def page() -> dict[str, Any]:
            after = key_of(more["ExclusiveStartKey"]) if more.get("ExclusiveStartKey") else ("", "")
            keys = [key for key in sorted(self.items) if key > after and holds(KeyConditionExpression, self.items[key])]
            answer: dict[str, Any] = {"Items": [dict(self.items[key]) for key in keys[:1]]}
            if len(keys) > 1:
                answer["LastEvaluatedKey"] = {"job": keys[0][0], "fact": keys[0][1]}
            return answer

        answer: dict[str, Any] = self.call("query", page)
        return answer

    def item(self, key: Item) -> Item | None:
        """Return the item with these keys."""
        return self.items.get(key_of(key))


class _Client:
    """boto3's client behind a Table: transactions, and the classes of its errors."""

    exceptions = (
        botocore.session.get_session()
        .create_client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        .exceptions
    )

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 - boto3's
        """Do all or nothing."""

        def transact() -> None:
            steps = [_Step(one) for one in TransactItems]
            reasons = ["None" if step.may(self._table) else "ConditionalCheckFailed" for step in steps]
            if set(reasons) != {"None"}:
                raise canceled(reasons)
            for step in steps:
                step.apply(self._table)

        self._table.call("transact_write_items", transact)


class _Step:
    def __init__(self, described: dict[str, Any]) -> None:
        [(self._kind, self._request)] = described.items()
        assert self._request["TableName"] == MemoryTable.name
        assert self._kind in {"Update", "Put", "Delete"}, f"not known here: {self._kind}"

    def may(self, table: MemoryTable) -> bool:
        if self._kind == "Update":
            return Update(self._request).may(table.item(self._request["Key"]))
        if self._kind == "Delete":
            assert self._request.keys() == {"TableName", "Key"}
            return True
        assert self._request.keys() == {"TableName", "Item", "ConditionExpression"}
        return all_hold(self._request["ConditionExpression"], table.item(self._request["Item"]), {}, {})

    def apply(self, table: MemoryTable) -> None:
        if self._kind == "Update":
            Update(self._request).apply(table.items)
        elif self._kind == "Delete":
            table.items.pop(key_of(self._request["Key"]), None)
        else:
            table.items[key_of(self._request["Item"])] = dict(self._request["Item"])


def throttled() -> Exception:
    """Return what a client raises when the table is asked too much, after all of its own retries."""
    return translated(_error("PutItem", "ProvisionedThroughputExceededException"))


def canceled(codes: list[str]) -> Exception:
    """Return what a client raises for a transaction that was not done."""
    return translated(_error("TransactWriteItems", "TransactionCanceledException", [{"Code": code} for code in codes]))


def _error(operation: str, code: str, reasons: list[dict[str, str]] | None = None) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "CancellationReasons": reasons or []}
    kind: type[ClientError] = getattr(_Client.exceptions, code)
    return kind(response, operation)
