"""A DynamoDB table in a dictionary: as much of boto3's Table as the real DynamoLedger uses.

So the ledger under test is the product's own, call by call; a condition, update or parameter that is not known here is
refused, never guessed. `call` stands around each request, and may crash, stall or throttle it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import botocore.session
from boto3.dynamodb.conditions import AttributeBase, ConditionBase

T = TypeVar("T")
Item = dict[str, Any]
Call = Callable[[str, Callable[[], Any]], Any]  # name of the request, what it does -> what it answers

NOT_MET = "ConditionalCheckFailedException"
_COMPARISON = re.compile(r"(#?\w+) = (:\w+)")
_PRESENCE = re.compile(r"attribute_(not_)?exists\((#?\w+)\)")


class _Meta(NamedTuple):
    client: Any


class MemoryTable:
    """One table with the keys `job` and `fact`."""

    name = "ledger"

    def __init__(self, call: Call) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.meta = _Meta(_Client(self))
        self.call = call

    def put_item(self, *, Item: Item, ConditionExpression: ConditionBase | None = None) -> None:  # noqa: N803 - boto3's
        """Write an item."""

        def put() -> None:
            if ConditionExpression is not None and not _holds(ConditionExpression, self.item(Item)):
                raise _error(operation="PutItem", code=NOT_MET)
            self.items[_key(Item)] = dict(Item)

        self.call("put_item", put)

    def update_item(self, **request: Any) -> None:
        """Change an item."""

        def update() -> None:
            change = _Update(request)
            if not change.may(self.item(request["Key"])):
                raise _error(operation="UpdateItem", code=NOT_MET)
            change.apply(self.items)

        self.call("update_item", update)

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
        self.call("delete_item", lambda: self.items.pop(_key(Key), None))

    def query(self, *, KeyConditionExpression: ConditionBase, ConsistentRead: bool, **more: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
        """Read a job's items, in order, one a page so that paging is walked, too."""
        assert ConsistentRead, "the ledger must not read what is out of date"
        assert more.keys() <= {"ExclusiveStartKey"}, f"not known here: {sorted(more)}"

        def page() -> dict[str, Any]:
            after = _key(more["ExclusiveStartKey"]) if more.get("ExclusiveStartKey") else ("", "")
            keys = [
                key for key in sorted(self.items) if key > after and _holds(KeyConditionExpression, self.items[key])
            ]
            answer: dict[str, Any] = {"Items": [dict(self.items[key]) for key in keys[:1]]}
            if len(keys) > 1:
                answer["LastEvaluatedKey"] = {"job": keys[0][0], "fact": keys[0][1]}
            return answer

        answer: dict[str, Any] = self.call("query", page)
        return answer

    def item(self, key: Item) -> Item | None:
        """Return the item with these keys."""
        return self.items.get(_key(key))


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
        assert self._kind in {"Update", "Put"}, f"not known here: {self._kind}"

    def may(self, table: MemoryTable) -> bool:
        if self._kind == "Update":
            return _Update(self._request).may(table.item(self._request["Key"]))
        assert self._request.keys() == {"TableName", "Item", "ConditionExpression"}
        return _all_hold(self._request["ConditionExpression"], table.item(self._request["Item"]), {}, {})

    def apply(self, table: MemoryTable) -> None:
        if self._kind == "Update":
            _Update(self._request).apply(table.items)
        else:
            table.items[_key(self._request["Item"])] = dict(self._request["Item"])


class _Update:
    """`SET name = :value, …` under a condition in words."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request["ExpressionAttributeValues"]

    def may(self, item: Item | None) -> bool:
        return _all_hold(self._request["ConditionExpression"], item, self._names, self._values)

    def apply(self, items: dict[tuple[str, str], Item]) -> None:
        kind, _, settings = self._request["UpdateExpression"].partition(" ")
        assert kind == "SET", f"not known here: {kind}"
        item = dict(items.get(_key(self._request["Key"]), self._request["Key"]))
        for setting in settings.split(", "):
            match = _COMPARISON.fullmatch(setting)
            assert match, f"not known here: {setting}"
            item[self._names.get(match[1], match[1])] = self._values[match[2]]
        items[_key(item)] = item


def _all_hold(words: str, item: Item | None, names: Item, values: Item) -> bool:
    return all(_holds_in_words(part, item or {}, names, values) for part in words.split(" AND "))


def _holds_in_words(words: str, item: Item, names: Item, values: Item) -> bool:
    if match := _PRESENCE.fullmatch(words):
        return (names.get(match[2], match[2]) in item) is (match[1] is None)
    match = _COMPARISON.fullmatch(words)
    assert match, f"not known here: {words}"
    name = names.get(match[1], match[1])
    return name in item and bool(item[name] == values[match[2]])


def _holds(condition: ConditionBase, item: Item | None) -> bool:
    """Evaluate a condition that was built with Attr and Key."""
    operator = condition.get_expression()["operator"]
    left, *rest = condition.get_expression()["values"]
    match operator:
        case "OR":
            return _holds(left, item) or _holds(rest[0], item)
        case "AND":
            return _holds(left, item) and _holds(rest[0], item)
    assert isinstance(left, AttributeBase)
    value = None if item is None else item.get(left.name)
    match operator:
        case "attribute_not_exists":
            return value is None
        case "=":
            return bool(value == rest[0])
        case "<>":
            return value is None or bool(value != rest[0])
        case "<=":
            return value is not None and bool(value <= rest[0])
        case "begins_with":
            return str(value).startswith(rest[0])
    raise AssertionError(f"not known here: {operator}")


def throttled() -> Exception:
    """Return what boto3 raises when the table is asked too much, after all of its own retries."""
    return _error("PutItem", "ProvisionedThroughputExceededException")


def canceled(codes: list[str]) -> Exception:
    """Return what boto3 raises for a transaction that was not done."""
    return _error("TransactWriteItems", "TransactionCanceledException", [{"Code": code} for code in codes])


def _error(operation: str, code: str, reasons: list[dict[str, str]] | None = None) -> Exception:
    response: Any = {"Error": {"Code": code, "Message": code}, "CancellationReasons": reasons or []}
    kind: type[Exception] = getattr(_Client.exceptions, code)
    return kind(response, operation)


def _key(item: Item) -> tuple[str, str]:
    return item["job"], item["fact"]
