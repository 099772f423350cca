"""The emulator as Claude Platform on AWS: the official SDK is let in, and every fault of a signature is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AnthropicAWS

from batchdrop.local.claude_api.aws_auth import ACTIONS
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import fates, finished, params, requests
from tests.signed import DIGEST_OF_NOTHING, signed_headers

KEY, SECRET, TOKEN = "ASIATEST", "s3cret", "session"


@pytest.fixture
def aws(emulator: RunningEmulator) -> RunningEmulator:
    """The emulator on AWS, with one caller."""
    emulator.settings(provider="aws", aws_credentials=[f"{KEY}:{SECRET}:{TOKEN}", "AKIALONG:other"])
    return emulator


def _sdk(aws: RunningEmulator, **changed: Any) -> AnthropicAWS:
    caller: dict[str, Any] = {
        "aws_access_key": KEY,
        "aws_secret_key": SECRET,
        "aws_session_token": TOKEN,
        "aws_region": "us-east-1",
        "workspace_id": "wrkspc_1",
    }
    return AnthropicAWS(base_url=aws.base_url, max_retries=0, **{**caller, **changed})


def test_the_official_sdk_is_let_in(aws: RunningEmulator) -> None:
    """Each call of the SDK that this project makes, signed as the SDK signs."""
    with _sdk(aws) as sdk:
        batch = finished(sdk, aws, requests(3))
        assert set(fates(sdk, batch.id).values()) == {"succeeded"}
        assert [one.id for one in sdk.messages.batches.list(limit=5)] == [batch.id]
        assert sdk.messages.create(**params()).content
        assert sdk.messages.count_tokens(model="claude-haiku-5-5", messages=params()["messages"]).input_tokens
        assert sdk.models.list().data


def test_a_workspace_sees_its_own_message_batches(aws: RunningEmulator) -> None:
    """The list, and one by its id."""
    with _sdk(aws) as ours, _sdk(aws, workspace_id="wrkspc_2") as theirs:
        batch = ours.messages.batches.create(requests=requests(1))
        assert list(theirs.messages.batches.list()) == []
        with pytest.raises(anthropic.NotFoundError):
            theirs.messages.batches.retrieve(batch.id)


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"aws_secret_key": "wrong"}, "InvalidSignatureException", "does not match the signature you provided"),
        ({"aws_access_key": "AKIAUNKNOWN"}, "UnrecognizedClientException", "security token included in the request is"),
        ({"aws_session_token": "another"}, "UnrecognizedClientException", "is invalid"),
        ({"aws_region": "eu-west-1"}, "InvalidSignatureException", "scoped to a valid region, not 'eu-west-1'"),
    ],
)
def test_a_wrong_caller_is_refused(aws: RunningEmulator, changed: dict[str, str], kind: str, words: str) -> None:
    """403 with AWS's name of the reason in a header, and its words in the body."""
    with _sdk(aws, **changed) as sdk, pytest.raises(anthropic.PermissionDeniedError) as refused:
        sdk.messages.batches.list()
    assert refused.value.response.headers["x-amzn-errortype"] == kind
    assert words in refused.value.response.json()["message"]


def test_expired_credentials_are_refused(aws: RunningEmulator) -> None:
    """A session that is over."""
    aws.settings(aws_expired_keys=[KEY])
    with _sdk(aws) as sdk, pytest.raises(anthropic.PermissionDeniedError, match="is expired"):
        sdk.messages.batches.list()


@pytest.mark.parametrize(("skew", "words"), [(301, "Signature expired: "), (-301, "Signature not yet current: ")])
def test_a_wrong_date_is_refused(aws: RunningEmulator, skew: float, words: str) -> None:
    """Five minutes to each side are allowed."""
    aws.settings(aws_skew_seconds=skew)
    with _sdk(aws) as sdk, pytest.raises(anthropic.PermissionDeniedError, match=words):
        sdk.messages.batches.list()
    aws.settings(aws_skew_seconds=skew * 0.9)
    with _sdk(aws) as sdk:
        sdk.messages.batches.list()


@pytest.mark.parametrize("endpoint", ACTIONS)
def test_an_action_can_be_denied(aws: RunningEmulator, endpoint: str) -> None:
    """Only that action; AWS says who may not do what, and to what."""
    aws.settings(aws_denied_actions=[ACTIONS[endpoint]])
    calls: dict[str, Any] = {
        "messages.create": lambda sdk: sdk.messages.create(**params()),
        "messages.count_tokens": lambda sdk: sdk.messages.count_tokens(model="m", messages=params()["messages"]),
        "models.list": lambda sdk: sdk.models.list(),
        "models.retrieve": lambda sdk: sdk.models.retrieve("claude-haiku-5-5"),
        "batches.create": lambda sdk: sdk.messages.batches.create(requests=requests(1)),
        "batches.list": lambda sdk: sdk.messages.batches.list(),
        "batches.retrieve": lambda sdk: sdk.messages.batches.retrieve("msgbatch_1"),
        "batches.results": lambda sdk: sdk.get("/v1/messages/batches/msgbatch_1/results", cast_to=httpx2.Response),
        "batches.delete": lambda sdk: sdk.messages.batches.delete("msgbatch_1"),
        "batches.cancel": lambda sdk: sdk.messages.batches.cancel("msgbatch_1"),
    }
    with _sdk(aws) as sdk, pytest.raises(anthropic.PermissionDeniedError, match=f":{ACTIONS[endpoint]} on resource"):
        calls[endpoint](sdk)


def test_only_workspaces_of_the_policy_are_allowed(aws: RunningEmulator) -> None:
    """Another workspace is another resource; without any, there is none to allow."""
    aws.settings(aws_workspaces=["wrkspc_2"])
    with _sdk(aws) as sdk, pytest.raises(anthropic.PermissionDeniedError, match="workspace/wrkspc_1 because"):
        sdk.messages.batches.list()


def _get(aws: RunningEmulator, headers: dict[str, str]) -> httpx2.Response:
    own = {"anthropic-version": "2026-10-21", "anthropic-workspace-id": "wrkspc_1"}
    return httpx2.get(f"{aws.base_url}/v1/models", headers={**own, **headers})


def test_a_call_without_a_signature_is_refused(aws: RunningEmulator) -> None:
    """An API key is none."""
    refused = _get(aws, {"x-api-key": "sk-test"})
    assert (refused.status_code, refused.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")


def test_what_must_be_signed_is_signed(aws: RunningEmulator) -> None:
    """An x-amz header that the signature leaves out could have been put in on the way."""
    url = f"{aws.base_url}/v1/models"
    good = signed_headers("GET", url, KEY, SECRET, TOKEN)
    assert _get(aws, good).status_code == 200
    assert _get(aws, {**good, "x-amz-other": "x"}).headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_a_replaced_body_is_refused(aws: RunningEmulator) -> None:
    """The digest that was signed is another body's."""
    url = f"{aws.base_url}/v1/messages"
    headers = signed_headers("POST", url, KEY, SECRET, TOKEN, digest=DIGEST_OF_NOTHING)
    own = {"anthropic-version": "2026-10-21", "anthropic-workspace-id": "wrkspc_1"}
    refused = httpx2.post(url, content=b"{}", headers={**own, **headers})
    assert (refused.status_code, refused.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")


def test_an_old_signature_is_refused(aws: RunningEmulator) -> None:
    """A request cannot be sent again later."""
    url, old = f"{aws.base_url}/v1/models", datetime.now(UTC) - timedelta(minutes=6)
    assert "Signature expired" in _get(aws, signed_headers("GET", url, KEY, SECRET, TOKEN, at=old)).text


def test_a_key_needs_no_signature_elsewhere(emulator: RunningEmulator) -> None:
    """The same emulator is Anthropic's own API by default, and a signature is no key there."""
    with _sdk(emulator) as sdk, pytest.raises(anthropic.AuthenticationError):
        sdk.messages.batches.list()
