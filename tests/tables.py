"""The ledger's table, with the keys that template.yaml gives it."""

from typing import TYPE_CHECKING, Any

from tests.project import template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table


def create_ledger_table(dynamodb: "DynamoDBServiceResource", *, name: str = "ledger") -> "Table":
    """Create the table as the template describes it."""
    described: dict[str, Any] = template()["Resources"]["LedgerTable"]["Properties"]
    return dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=described["AttributeDefinitions"],
        KeySchema=described["KeySchema"],
        BillingMode="PAY_PER_REQUEST",
    )
