"""Each fault surfaces to the official SDK as promised."""

import asyncio
import time
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, AsyncAnthropic

from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.faults import ENDPOINTS, InjectedFault
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.claude_api.asks import finished, one, params, requests


def batches_made(emulator: RunningEmulator) -> int:
    """How many Message Batches there are, whatever the client was told."""
    return len(emulator.state.batches.all())


@pytest.mark.parametrize(
    ("kind", "accepted"),
    [("accept_then_drop", True), ("drop_before_accept", False)],
)
def test_a_dropped_connection_is_a_connection_error(
    client: Anthropic,
    emulator: RunningEmulator,
    kind: str,
    accepted: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Not a byte of an answer; whether the batch exists is what the two differ in."""
    emulator.inject(kind, "batches.create")
    with pytest.raises(anthropic.APIConnectionError) as caught:
        client.messages.batches.create(requests=requests(2))
    # A drop is a FIN or a RST, by what of the body was still unread.
    assert isinstance(caught.value.__cause__, (httpx2.RemoteProtocolError, httpx2.ReadError))
    assert batches_made(emulator) == int(accepted)
    emulator.advance(3600)
    assert emulator.bill_summary()["requests"] == 2 * accepted
    assert emulator.call_summary()["by_endpoint"] == {"batches.create": {"dropped": 1}}
    client.messages.batches.create(requests=requests(2))


@pytest.mark.parametrize("kind", ["accept_then_drop", "drop_before_accept"])
def test_a_drop_with_a_large_body_is_a_connection_error_too(
    client: Anthropic,
    emulator: RunningEmulator,
    kind: str,
) -> None:
    """Even when the client is still sending."""
    emulator.inject(kind, "batches.create")
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.batches.create(requests=one("x" * 3_000_000))


def test_the_sdks_own_retries_pay_three_times(emulator: RunningEmulator) -> None:
    """What the product must never do: default retries over accepted and dropped creates."""
    emulator.inject("accept_then_drop", "batches.create", times=2)
    with Anthropic(api_key="k", base_url=emulator.base_url) as careless:
        careless.messages.batches.create(requests=requests(1))
    emulator.advance(3600)
    summary = emulator.bill_summary()
    assert (summary["requests"], summary["duplicate_custom_ids"], summary["duplicates"]) == (3, 1, {"row-0": 3})
    assert summary["duplicate_prompts"] == 1


def test_a_message_accepted_and_dropped_is_billed(client: Anthropic, emulator: RunningEmulator) -> None:
    """In the live lane too."""
    emulator.inject("accept_then_drop", "messages.create")
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**params("x"))
    assert emulator.bill_summary()["by_lane"] == {"live": 1}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (402, anthropic.PaymentRequiredError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (409, anthropic.ConflictError),
        (500, anthropic.InternalServerError),
        (503, anthropic.ServiceUnavailableError),
        (504, anthropic.GatewayTimeoutError),
        (529, anthropic.OverloadedError),
    ],
)
@pytest.mark.parametrize(("kind", "accepted"), [("error_before_accept", 0), ("error_after_accept", 1)])
def test_errors_of_any_status_before_and_after(
    client: Anthropic,
    emulator: RunningEmulator,
    status: int,
    error: type[anthropic.APIStatusError],
    kind: str,
    accepted: int,
) -> None:
    """The SDK's error for that status, with a request id; the batch exists only after `accept`."""
    emulator.inject(kind, "batches.create", status=status)
    with pytest.raises(error) as caught:
        client.messages.batches.create(requests=requests(1))
    assert caught.value.request_id is not None
    assert batches_made(emulator) == accepted


def test_after_faults_do_not_fire_for_refused_calls(client: Anthropic, emulator: RunningEmulator) -> None:
    """Nothing was accepted, so the fault waits for a call that is."""
    emulator.inject("accept_then_drop", "batches.create")
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.create(requests=[])
    assert emulator.faults()[0]["fired"] == 0


@pytest.mark.parametrize(("given", "header"), [({}, "1"), ({"retry_after": 900}, "900"), ({"retry_after": None}, None)])
def test_429_with_any_retry_after(
    client: Anthropic,
    emulator: RunningEmulator,
    given: dict[str, Any],
    header: str | None,
) -> None:
    """A second by default, huge, or none."""
    emulator.inject("rate_limited", "batches.create", **given)
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.batches.create(requests=requests(1))
    assert caught.value.response.headers.get("retry-after") == header
    assert caught.value.error_code is None


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        ({"kind": "rate_limited", "error_code": "ramp_limit_exceeded"}, anthropic.RateLimitError),
        (
            {"kind": "error_before_accept", "status": 400, "error_code": "organization_on_hold"},
            anthropic.BadRequestError,
        ),
    ],
)
def test_errors_may_carry_a_code(
    client: Anthropic,
    emulator: RunningEmulator,
    fault: dict[str, Any],
    error_type: type[anthropic.APIStatusError],
) -> None:
    """The SDK's `error_code` and `details` are filled from it."""
    emulator.inject(**fault)
    with pytest.raises(error_type) as caught:
        client.messages.batches.create(requests=requests(1))
    assert caught.value.error_code == fault["error_code"]


def test_the_spend_cap_says_so_and_gives_no_retry_after(client: Anthropic, emulator: RunningEmulator) -> None:
    """429 with error.details.error_code."""
    emulator.inject("spend_cap", "*")
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**params("x"))
    assert caught.value.error_code == "enforced_spend_limit_reached"
    assert "retry-after" not in caught.value.response.headers


def test_a_fresh_batch_may_not_be_found_yet(client: Anthropic, emulator: RunningEmulator) -> None:
    """404 for so many emulated seconds after the create."""
    emulator.inject("not_found_when_fresh", "batches.retrieve", seconds=30)
    batch = client.messages.batches.create(requests=requests(1))
    for _ in range(2):
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(batch.id)
        emulator.advance(15)
    assert client.messages.batches.retrieve(batch.id).id == batch.id
    assert emulator.faults()[0]["fired"] == 2


def test_fresh_results_may_not_be_found_yet(client: Anthropic, emulator: RunningEmulator) -> None:
    """404 for so many emulated seconds after the end, while the batch itself is seen as ended."""
    emulator.settings(batch_seconds=100)
    emulator.inject("not_found_when_fresh", "batches.results", seconds=30)
    batch = client.messages.batches.create(requests=requests(1))
    emulator.advance(110)
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.results(batch.id)
    emulator.advance(30)
    assert len(list(client.messages.batches.results(batch.id))) == 1


def test_a_new_batch_may_be_missing_from_the_list(client: Anthropic, emulator: RunningEmulator) -> None:
    """For so many emulated seconds, while it can be retrieved."""
    old = client.messages.batches.create(requests=requests(1))
    emulator.advance(200)
    emulator.inject("late_in_list", seconds=120)
    new = client.messages.batches.create(requests=requests(1))
    assert [batch.id for batch in client.messages.batches.list()] == [old.id]
    assert client.messages.batches.retrieve(new.id).id == new.id
    emulator.advance(120)
    assert [batch.id for batch in client.messages.batches.list()] == [new.id, old.id]


def test_a_cancel_may_be_in_vain(client: Anthropic, emulator: RunningEmulator) -> None:
    """It is `canceling`, yet every request succeeds, and is paid."""
    emulator.inject("cancel_ignored")
    batch = client.messages.batches.create(requests=requests(5))
    assert client.messages.batches.cancel(batch.id).processing_status == "canceling"
    emulator.advance(3600)
    counts = client.messages.batches.retrieve(batch.id).request_counts
    assert (counts.succeeded, counts.canceled) == (5, 0)
    assert emulator.bill_summary()["requests"] == 5


@pytest.mark.parametrize(("kind", "accepted"), [("hang_before_accept", 0), ("accept_then_hang", 1)])
def test_a_hanging_call_ends_in_the_clients_timeout(
    client: Anthropic,
    emulator: RunningEmulator,
    kind: str,
    accepted: int,
) -> None:
    """APITimeoutError; the batch may exist all the same."""
    emulator.inject(kind, "batches.create")
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.3).messages.batches.create(requests=requests(1))
    assert batches_made(emulator) == accepted
    assert emulator.call_summary()["by_endpoint"]["batches.create"] == {"hung": 1}


def test_a_hanging_call_is_dropped_at_last(client: Anthropic, emulator: RunningEmulator) -> None:
    """After `seconds` of real time."""
    emulator.inject("hang_before_accept", "batches.create", seconds=0.05)
    with pytest.raises(anthropic.APIConnectionError) as caught:
        client.messages.batches.create(requests=requests(1))
    assert not isinstance(caught.value, anthropic.APITimeoutError)


@pytest.mark.parametrize("endpoint", ["messages.create", "batches.results"])
def test_a_body_may_dribble(client: Anthropic, emulator: RunningEmulator, endpoint: str) -> None:
    """It arrives whole, after `seconds` of real time."""
    batch = finished(client, emulator, requests(20))
    emulator.inject("slow_body", endpoint, seconds=0.2)
    started = time.monotonic()
    if endpoint == "messages.create":
        assert client.messages.create(**params("x")).content
    else:
        assert len(list(client.messages.batches.results(batch.id))) == 20
    assert time.monotonic() - started >= 0.2


def test_faults_pass_some_calls_and_fire_some_times(client: Anthropic, emulator: RunningEmulator) -> None:
    """`after` calls pass, then it fires `times` times; -1 is for ever; DELETE takes all away."""
    emulator.inject("error_before_accept", "batches.*", after=1, times=2, status=529)
    outcomes = []
    for _ in range(5):
        try:
            list(client.messages.batches.list())
            outcomes.append(200)
        except anthropic.APIStatusError as error:
            outcomes.append(error.status_code)
    assert outcomes == [200, 529, 529, 200, 200]
    assert emulator.faults()[0]["fired"] == 2
    emulator.inject("error_before_accept", "batches.list", times=-1)
    for _ in range(3):
        with pytest.raises(anthropic.InternalServerError):
            client.messages.batches.list()
    emulator.clear_faults()
    assert emulator.faults() == []
    assert list(client.messages.batches.list()) == []


def test_faults_leave_other_endpoints_alone(client: Anthropic, emulator: RunningEmulator) -> None:
    """A fault on creating Messages does not touch batches."""
    emulator.inject("drop_before_accept", "messages.create", times=-1)
    assert client.messages.batches.create(requests=requests(1)).id


def test_endpoint_names_are_those_of_the_application() -> None:
    """Every endpoint that a fault can name has a route, and the other way round."""
    state = EmulatorState(Settings(speed=0))
    try:
        routes = [route for route in create_app(state).routes if getattr(route, "path", "").startswith("/v1/")]
    finally:
        state.close()
    assert len(routes) == len(ENDPOINTS)


def test_a_drop_without_a_socket_is_a_connection_error_too() -> None:
    """In-process, the transport raises, and the SDK wraps it."""
    state = EmulatorState(Settings(speed=0))

    async def ask() -> None:
        state.faults.inject(InjectedFault(kind="accept_then_drop", endpoint="batches.create"))
        http = anthropic.DefaultAsyncHttpxClient(transport=httpx2.ASGITransport(create_app(state)))
        async with AsyncAnthropic(api_key="k", base_url="http://emulator", http_client=http, max_retries=0) as sdk:
            await sdk.messages.batches.create(requests=requests(1))

    try:
        with pytest.raises(anthropic.APIConnectionError):
            asyncio.run(ask())
        assert len(state.batches.all()) == 1
    finally:
        state.close()
