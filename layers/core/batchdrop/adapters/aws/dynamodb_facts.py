"""Read the items of one job in the ledger's table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

LEASE = "lease#"  # of a slice of the live lane: read by the ledger and the progress board, too


def facts_of(table: Table, job_id: str, beginning: str) -> Iterator[dict[str, Any]]:
    """Yield a job's items whose `fact` begins so, in order, as they are after the last finished write."""
    condition = Key("job").eq(job_id) & Key("fact").begins_with(beginning)
    query: dict[str, Any] = {"KeyConditionExpression": condition, "ConsistentRead": True}
    while True:
        page = table.query(**query)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
