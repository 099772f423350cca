"""What AWS refuses before the API sees it: an account's trouble, or a failure that passes; never a failed row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx2
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import UnauthorizedSSOTokenError

from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter
from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.adapters.claude.models import AnthropicModels
from batchdrop.adapters.claude.signing import RequestSigner
from batchdrop.errors import AccountTrouble, ApiUnavailable, SubmissionUncertain
from batchdrop.live_lane.reply import Answer, Passing, Reply
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.bodies import PARAMS, create_body
from tests.callers import ACCESS_KEY, SECRET, TOKEN, WORKSPACE, on_aws, signer

Call = Callable[[AnthropicBatchCreator], object]
CALLS: dict[str, tuple[str, Call]] = {
    "create": ("CreateBatchInference", lambda api: api.create(create_body(1), timeout=5)),
    "poll": ("GetBatchInference", lambda api: api.retrieve("msgbatch_1")),
    "list": ("ListBatchInferences", lambda api: list(api.newest_first())),
    "cancel": ("CancelBatchInference", lambda api: api.cancel("msgbatch_1")),
}
KINDS = pytest.mark.parametrize(("action", "call"), CALLS.values(), ids=CALLS)


@pytest.fixture
def aws(emulator: RunningEmulator) -> RunningEmulator:
    """Claude Platform on AWS, with one caller."""
    on_aws(emulator)
    return emulator


def _api(aws: RunningEmulator, signs: RequestSigner | None = None) -> AnthropicBatchCreator:
    return AnthropicBatchCreator(signer=signs or signer(), base_url=aws.base_url)


@KINDS
def test_a_denied_action_is_account_trouble(aws: RunningEmulator, action: str, call: Call) -> None:
    """The message has AWS's words, which name the role, the action and the workspace; then what to do."""
    aws.settings(aws_denied_actions=[action])
    with pytest.raises(AccountTrouble) as denied:
        call(_api(aws))
    assert f"is not authorized to perform: aws-external-anthropic:{action} on resource: " in str(denied.value)
    assert f"workspace/{WORKSPACE}" in str(denied.value)
    assert "Allow the action on this workspace in the policy of the role or user" in str(denied.value)


@KINDS
def test_expired_credentials_are_account_trouble(aws: RunningEmulator, action: str, call: Call) -> None:
    """No other ones are there."""
    del action
    aws.settings(aws_expired_keys=[ACCESS_KEY])
    with pytest.raises(AccountTrouble, match=r"is expired.*Renew the AWS credentials"):
        call(_api(aws))


class Renewed:
    """Credentials that somebody renews between two calls."""

    def __init__(self) -> None:
        self.now = [Credentials(ACCESS_KEY, SECRET, TOKEN), Credentials("ASIANEW", SECRET, TOKEN)]

    def get_frozen_credentials(self) -> Any:
        """Return the old ones once."""
        return (self.now.pop(0) if len(self.now) > 1 else self.now[0]).get_frozen_credentials()


def _renewed() -> RequestSigner:
    return RequestSigner(Renewed(), region="us-east-1", workspace=WORKSPACE)


def test_renewed_credentials_halt_nothing(aws: RunningEmulator) -> None:
    """The refused ones are not those of now: a passing failure, and the next attempt works."""
    aws.settings(
        aws_expired_keys=[ACCESS_KEY],
        aws_credentials=[f"{ACCESS_KEY}:{SECRET}:{TOKEN}", f"ASIANEW:{SECRET}:{TOKEN}"],
    )
    api = _api(aws, _renewed())
    with pytest.raises(ApiUnavailable, match="renewed since the call was signed"):
        api.create(create_body(1), timeout=5)
    assert api.create(create_body(1), timeout=5).id


@pytest.mark.parametrize("skew", [3600, -3600])
def test_a_wrong_clock_is_learnt(aws: RunningEmulator, skew: int) -> None:
    """AWS says its time when it refuses ours; the next attempt signs with it, and nothing was created before."""
    aws.settings(aws_skew_seconds=skew)
    api = _api(aws)
    with pytest.raises(ApiUnavailable, match=r"its clock is [+-]3[56]\d\d s from this machine's"):
        api.create(create_body(1), timeout=5)
    api.create(create_body(1), timeout=5)
    assert len(aws.state.batches.all()) == 1


def test_a_body_that_changes_on_the_way_creates_nothing(aws: RunningEmulator) -> None:
    """The digest was taken of what should be sent."""

    class Changing:
        size = create_body(1).size
        readings = 0

        def __iter__(self) -> Any:
            self.readings += 1
            yield from create_body(1, content="hello" if self.readings == 1 else "HELLO")

    with pytest.raises(AccountTrouble, match="does not match the signature"):
        _api(aws).create(Changing(), timeout=5)
    assert aws.state.batches.all() == []


PAGES = {
    "a proxy's page": httpx2.Response(403, text="<html>no</html>"),
    "a proxy's JSON": httpx2.Response(403, json={"message": "blocked by policy"}),
    "an unknown reason": httpx2.Response(403, json={"message": "?"}, headers={"x-amzn-errortype": "NewException"}),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_any_other_403_proves_nothing(page: httpx2.Response) -> None:
    """Only AWS's own reasons say that nothing was created."""
    transport = httpx2.MockTransport(lambda _request: page)
    api = AnthropicBatchCreator(signer=signer(), base_url="https://api.test", transport=transport)
    with pytest.raises(SubmissionUncertain):
        api.create(create_body(1), timeout=5)
    with pytest.raises(ApiUnavailable):
        api.retrieve("msgbatch_1")


@pytest.mark.parametrize("kind", ["com.amazon#AccessDeniedException", "AccessDeniedException:http://x/"])
def test_the_reason_is_read_in_each_of_awss_spellings(kind: str) -> None:
    """In the body with a namespace, and in the header with an address."""
    body = {"__type": kind, "Message": "no"} if "#" in kind else {"message": "no"}
    headers = {} if "#" in kind else {"x-amzn-errortype": kind}
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(403, json=body, headers=headers))
    api = AnthropicBatchCreator(signer=signer(), base_url="https://api.test", transport=transport)
    with pytest.raises(AccountTrouble, match="HTTP 403: AccessDeniedException: no"):
        api.create(create_body(1), timeout=5)


def _ask(aws: RunningEmulator, signs: RequestSigner) -> list[Reply]:
    async def asked() -> list[Reply]:
        api = AiohttpMessageApi(signer=signs, base_url=aws.base_url)
        try:
            return [await api.send(PARAMS % b"hi", within=5) for _ in range(2)]
        finally:
            await api.close()

    return asyncio.run(asked())


def test_the_live_lane_signs_each_request(aws: RunningEmulator) -> None:
    """Each with a signature of its own, over warm connections."""
    assert [type(reply) for reply in _ask(aws, signer())] == [Answer, Answer]


def test_the_live_lane_learns_the_clock(aws: RunningEmulator) -> None:
    """One passing failure, then answers."""
    aws.settings(aws_skew_seconds=900)
    assert [type(reply) for reply in _ask(aws, signer())] == [Passing, Answer]


@pytest.mark.parametrize("setting", [{"aws_denied_actions": ["CreateInference"]}, {"aws_expired_keys": [ACCESS_KEY]}])
def test_the_live_lane_stops_for_account_trouble(aws: RunningEmulator, setting: dict[str, Any]) -> None:
    """No row fails for it."""
    aws.settings(**setting)
    with pytest.raises(AccountTrouble, match="HTTP 403"):
        _ask(aws, signer())


def test_credentials_that_cannot_be_renewed_are_account_trouble(aws: RunningEmulator) -> None:
    """A login that is over is the user's to repeat."""

    class Over:
        def get_frozen_credentials(self) -> Any:
            raise UnauthorizedSSOTokenError

    over = RequestSigner(Over(), region="us-east-1", workspace=WORKSPACE)
    with pytest.raises(AccountTrouble, match=r"cannot be renewed.*aws sso login"):
        _api(aws, over).create(create_body(1), timeout=5)
    assert aws.call_summary()["total"] == 0


def test_models_and_tokens_are_signed_for(aws: RunningEmulator) -> None:
    """The list of models, and a count; a denied count is account trouble."""
    with closing(AnthropicModels(signer=signer(), base_url=aws.base_url)) as models:
        assert "claude-haiku-5-5" in models.table(set()).models
    with closing(AnthropicTokenCounter(signer=signer(), base_url=aws.base_url)) as counter:
        assert counter.count(PARAMS % b"hi") > 0
        aws.settings(aws_denied_actions=["CountTokens"])
        with pytest.raises(AccountTrouble, match="CountTokens"):
            counter.count(PARAMS % b"hi")
