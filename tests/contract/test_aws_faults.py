"""AWS's transient faults reach the code as AwsUnavailable, whichever service, call or connection they come from."""

from __future__ import annotations

import ast
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from batchdrop.adapters.aws import clients
from batchdrop.errors import AwsUnavailable
from tests.aws import REGION, client, dynamodb, session
from tests.project import ROOT

URL = "https://sqs.us-east-1.amazonaws.com/000000000000/live"
ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:batchdrop-job"
KEY = {"job": {"S": "j"}, "fact": {"S": "f"}}
CALLS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "dynamodb": ("get_item", lambda one: one.get_item(TableName="ledger", Key=KEY)),
    "s3": ("get_object", lambda one: one.get_object(Bucket="bucket", Key="key")),
    "sqs": ("send_message", lambda one: one.send_message(QueueUrl=URL, MessageBody="{}")),
    "stepfunctions": ("start_execution", lambda one: one.start_execution(stateMachineArn=ARN, name="j", input="{}")),
    "events": ("put_events", lambda one: one.put_events(Entries=[{"Source": "batchdrop"}])),
    "lambda": ("invoke", lambda one: one.invoke(FunctionName="f", Payload=b"{}")),
    "secretsmanager": ("get_secret_value", lambda one: one.get_secret_value(SecretId="api-key")),
}
TRANSIENT = [
    ("ThrottlingException", 400), ("Throttling", 400), ("RequestThrottled", 400), ("RequestLimitExceeded", 400),
    ("ProvisionedThroughputExceededException", 400), ("TransactionConflictException", 400),
    ("TransactionInProgressException", 400),
    ("RequestTimeout", 400), ("KmsThrottled", 400), ("KmsThrottlingException", 400), ("KMS.ThrottlingException", 400),
    ("TooManyRequestsException", 429), ("InternalError", 500), ("InternalServerError", 500), ("Bad Gateway", 502),
    ("SlowDown", 503), ("ServiceUnavailable", 503), ("503", 503), ("Gateway Timeout", 504),
]  # fmt: skip
LASTING = [
    ("AccessDenied", 403), ("AccessDeniedException", 400), ("ValidationException", 400), ("NoSuchBucket", 404),
    ("ResourceNotFoundException", 400), ("ConditionalCheckFailedException", 400), ("PreconditionFailed", 412),
    ("ConditionalRequestConflict", 409), ("ExecutionAlreadyExists", 400), ("TaskTimedOut", 400),
    ("KMS.DisabledException", 400), ("InvalidSignatureException", 403), ("LimitExceededException", 400),
]  # fmt: skip
CONNECTIONS: list[Exception] = [
    exceptions.EndpointConnectionError(endpoint_url="https://x.test"),
    exceptions.ConnectTimeoutError(endpoint_url="https://x.test"),
    exceptions.ReadTimeoutError(endpoint_url="https://x.test"),
    exceptions.ConnectionClosedError(endpoint_url="https://x.test"),
    exceptions.ProxyConnectionError(proxy_url="https://x.test"),
    exceptions.SSLError(endpoint_url="https://x.test", error=OSError("reset")),
    exceptions.HTTPClientError(error="reset by peer"),
    exceptions.ResponseStreamingError(error="cut"),
    exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ResponseParserError("a proxy's page"),
]


def _call(service: str, code: str, status: int, **more: Any) -> None:
    """Call a service that answers with an error."""
    operation, call = CALLS[service]
    one = client(service)
    with Stubber(one) as stub:
        stub.add_client_error(operation, code, "why", http_status_code=status, **more)
        call(one)


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize(("code", "status"), TRANSIENT)
def test_a_transient_refusal_has_one_name(service: str, code: str, status: int) -> None:
    """AWS's own code, message and operation stay in the message."""
    with pytest.raises(AwsUnavailable, match=rf"{code}.*{_title(CALLS[service][0])} operation.*why"):
        _call(service, code, status)


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize(("code", "status"), LASTING)
def test_a_lasting_refusal_stays_what_it_is(service: str, code: str, status: int) -> None:
    """A retry would end the same way, or the adapter has an answer to it."""
    with pytest.raises(ClientError) as refused:
        _call(service, code, status)
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("fault", CONNECTIONS, ids=lambda fault: type(fault).__name__)
def test_a_broken_connection_has_the_same_name(service: str, fault: Exception) -> None:
    """Whatever botocore calls it."""
    _, call = CALLS[service]
    one = _impatient(service)

    def break_off(**_: Any) -> None:
        raise fault

    one.meta.events.register("before-send", break_off, unique_id="break-off")
    try:
        with pytest.raises(AwsUnavailable, match=type(fault).__name__):
            call(one)
    finally:
        one.meta.events.unregister("before-send", unique_id="break-off")


def test_nobody_listens() -> None:
    """A real connection that is refused."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(AwsUnavailable, match=r"EndpointConnectionError.*127\.0\.0\.1"):
            _impatient("dynamodb", url).get_item(TableName="ledger", Key=KEY)


def test_a_defect_of_ours_stays_one() -> None:
    """A parameter that botocore refuses, and credentials that are not there."""
    with pytest.raises(exceptions.ParamValidationError):
        client("sqs").send_message(QueueUrl=URL)


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (["TransactionConflict", "None"], AwsUnavailable),
        (["None", "ThrottlingError"], AwsUnavailable),
        (["ProvisionedThroughputExceeded", "None"], AwsUnavailable),
        (["ConditionalCheckFailed", "TransactionConflict"], AwsUnavailable),
        (["ConditionalCheckFailed", "None"], ClientError),
        (["ValidationError", "None"], ClientError),
        (["ItemCollectionSizeLimitExceeded", "None"], ClientError),
    ],
)
def test_a_canceled_transaction_passes_for_some_reasons(reasons: list[str], error: type[Exception]) -> None:
    """A conflict or a throttle is worth another try; a condition that does not hold is an answer."""
    one = client("dynamodb")
    told = {"CancellationReasons": [{"Code": reason} for reason in reasons]}
    with Stubber(one) as stub:
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=told)
        with pytest.raises(error):
            one.transact_write_items(TransactItems=[{"Put": {"TableName": "ledger", "Item": KEY}}])


def test_tables_and_pages_are_covered() -> None:
    """A Table's calls and a paginator's go through the same client."""
    with _answering(dynamodb().meta.client, "query") as table_client, pytest.raises(AwsUnavailable):
        dynamodb().Table("ledger").query(KeyConditionExpression="job = :j", ExpressionAttributeValues={":j": "j"})
    assert table_client
    with _answering(client("s3"), "list_objects_v2") as pages, pytest.raises(AwsUnavailable):
        list(pages.get_paginator("list_objects_v2").paginate(Bucket="bucket"))


@contextmanager
def _answering(one: Any, operation: str) -> Iterator[Any]:
    with Stubber(one) as stub:
        stub.add_client_error(operation, "ThrottlingException")
        yield one


def test_the_functions_clients_translate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients that bootstrap builds, not only those of these tests."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    clients._session.cache_clear()
    for service, (operation, call) in CALLS.items():
        with _answering(clients.client(service), operation) as one, pytest.raises(AwsUnavailable):
            call(one)
    table = clients.table("ledger")
    with _answering(table.meta.client, "get_item"), pytest.raises(AwsUnavailable):
        table.get_item(Key={"job": "j", "fact": "f"})


LAYER = ROOT / "layers" / "core" / "batchdrop"
SHIPPED = [path for path in LAYER.rglob("*.py") if path.relative_to(LAYER).parts[0] not in {"cli", "local"}]


def _uses_boto3(path: Path) -> bool:
    """Tell whether a module could make a client; `boto3.dynamodb.conditions` makes none."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return bool(names & {"boto3", "boto3.session", "botocore.session", "botocore.client"})


def test_no_adapter_can_forget_it() -> None:
    """One module makes clients, so a new adapter gets translated ones; the functions make none themselves."""
    makers = {path for path in (*SHIPPED, *(ROOT / "functions").rglob("*.py")) if _uses_boto3(path)}
    assert makers == {LAYER / "adapters" / "aws" / "clients.py"}


def test_only_the_store_reads_streams() -> None:
    """The body of an answer is read outside its call: a new reader needs `stream_faults`, too."""
    readers = {path.name for path in SHIPPED if '["Body"]' in path.read_text(encoding="utf-8")}
    assert readers == {"s3.py"}


@cache
def _impatient(service: Any, url: str | None = None) -> Any:
    """Return a client that tries once."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=2)
    keys: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return session().client(service, region_name=REGION, endpoint_url=url, config=config, **keys)


def _title(operation: str) -> str:
    return "".join(word.title() for word in operation.split("_"))
