"""The parts of botocore's data that the functions carry: what botocore has, and all that their roles allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from batchdrop.adapters.aws import clients
from batchdrop.adapters.aws.clients import MODELS
from tests.end_to_end.granted import ACTIONS
from tests.expanded import everything, statements
from tests.project import FUNCTIONS
from tools.aws_models import OPERATIONS, encoded, files

REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2", "cn-north-1", "us-gov-west-1")
SERVICES = {"states": "stepfunctions"}  # IAM's prefix, where it is not the client's name
PARAMETERS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("get_item", {"TableName": "t", "Key": {"job": {"S": "j"}, "fact": {"S": "f"}}}),
    "events": ("put_events", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]}),
    "lambda": ("invoke", {"FunctionName": "f", "InvocationType": "Event", "Payload": b"{}"}),
    "s3": ("upload_part_copy", {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 1, "CopySource": "b/c"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "s"}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "m"}),
    "stepfunctions": ("send_task_success", {"taskToken": "t", "output": "{}"}),
}


def test_the_files_are_those_of_the_installed_botocore() -> None:
    """A newer botocore in the lock needs `python -m tools.aws_models`."""
    made = {f"{name}.json": encoded(content) for name, content in files()}
    kept = {str(path.relative_to(MODELS)): path.read_text(encoding="utf-8") for path in MODELS.rglob("*.json")}
    assert json.loads(kept.pop("source.json"))["source"].startswith("botocore ")
    assert kept == made


def test_every_call_that_a_role_allows_is_in_the_models() -> None:
    """A function may make no call that its client does not know."""
    calls_of: dict[str, set[str]] = {}
    for call, action in ACTIONS.items():
        calls_of.setdefault(action, set()).add(call)
    for function, action in _granted():
        for call in calls_of.get(action, {action}):
            service, _, operation = call.partition(":")
            assert operation in OPERATIONS[SERVICES.get(service, service)], f"{function}: {call}"


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_requests_are_those_of_botocore(service: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same URL and body, in every partition."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clients._session.cache_clear()
    botocores: Any = boto3.session.Session(region_name=region)
    ours, theirs = clients.client(service), botocores.client(service)
    clients._session.cache_clear()
    assert _request(ours, service) == _request(theirs, service)


def _request(client: Any, service: str) -> tuple[str, str, bytes]:
    """Return what a client would send."""
    sent: list[Any] = []

    class Sent(Exception):
        """Nothing leaves the machine."""

    def catch(request: Any, **_: Any) -> None:
        sent.append(request)
        raise Sent

    client.meta.events.register("before-send", catch)
    method, parameters = PARAMETERS[service]
    with pytest.raises(Sent):
        getattr(client, method)(**parameters)
    [request] = sent
    return request.method, request.url, request.body


def _granted() -> Iterator[tuple[str, str]]:
    """Yield each function and the actions of its role that are calls of its own."""
    for function in FUNCTIONS:
        logical = function.replace("_", " ").title().replace(" ", "")
        for statement in statements(everything()["Resources"][f"{logical}FunctionRole"]):
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                if not action.startswith("kms:"):  # the services use the key in the function's name
                    yield function, "s3:GetObject" if action == "s3:GetObjectVersion" else action
