"""What every MessageApi promises; and the official SDK, asked the same against the emulator, comes to the same."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import msgspec
import pytest

from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.adapters.claude.signing import RequestSigner
from batchdrop.answers.result_line import usage_of
from batchdrop.errors import AccountTrouble
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Room, Throttled, limits_of
from batchdrop.local.claude_api.testing import RunningEmulator
from tests.bodies import PARAMS
from tests.callers import CALLERS, Caller, access
from tests.live_fakes import FakeMessageApi, prompt_of
from tests.virtual_time import run

WITHIN = 0.6
"""Seconds that a call may take where it is made to hang."""


def _ask(
    base_url: str,
    params: bytes = PARAMS % b"hi",
    *,
    key: str = "sk-test",
    within: float = 10.0,
    betas: tuple[str, ...] = (),
    signer: RequestSigner | None = None,
) -> Reply:
    async def asked() -> Reply:
        api = AiohttpMessageApi(api_key=key, base_url=base_url, signer=signer)
        try:
            return await api.send(params, within=within, betas=betas)
        finally:
            await api.close()

    return asyncio.run(asked())


async def _sdk(base_url: str, params: bytes, key: str, within: float) -> str:
    """Return what the SDK makes of a call, in the words of `_kind`."""
    async with anthropic.AsyncAnthropic(api_key=key, base_url=base_url, max_retries=0, timeout=within) as sdk:
        try:
            fields = msgspec.json.decode(params)
            plain = {name: fields.pop(name) for name in ("model", "max_tokens", "messages")}
            await sdk.messages.create(**plain, extra_body=fields)
        except anthropic.APIStatusError as error:
            return f"{error.status_code} {_sdk_type(error)}"
        except (anthropic.APIConnectionError, anthropic.APIResponseValidationError):
            return "lost"
        return "answered"


def _sdk_type(error: anthropic.APIStatusError) -> str:
    body: Any = error.body
    kind: str = body["error"]["type"]
    return kind


BUSY = Throttled("overloaded_error", "", is_global=True)
FAULTS: list[tuple[dict[str, Any], str, type | Reply]] = [
    ({"kind": "accept_then_drop"}, "lost", Passing("api_error", "", is_uncertain=True)),
    ({"kind": "drop_before_accept"}, "lost", Passing("api_error", "", is_uncertain=True)),
    ({"kind": "accept_then_hang", "seconds": 5}, "lost", Passing("timeout_error", "", is_uncertain=True)),
    ({"kind": "hang_before_accept", "seconds": 5}, "lost", Passing("timeout_error", "", is_uncertain=True)),
    ({"kind": "error_before_accept", "status": 400}, "400 invalid_request_error", Refused("invalid_request_error", "")),
    ({"kind": "error_before_accept", "status": 404}, "404 not_found_error", Refused("not_found_error", "")),
    ({"kind": "error_before_accept", "status": 413}, "413 request_too_large", Refused("request_too_large", "")),
    ({"kind": "error_before_accept", "status": 408}, "408", Passing("", "")),
    ({"kind": "error_before_accept", "status": 409}, "409", Passing("", "")),
    ({"kind": "error_before_accept", "status": 500}, "500 api_error", Passing("api_error", "")),
    ({"kind": "error_after_accept", "status": 502}, "502", Throttled("", "", is_global=True)),
    ({"kind": "error_before_accept", "status": 504}, "504 timeout_error", Passing("timeout_error", "")),
    ({"kind": "error_before_accept", "status": 529}, "529 overloaded_error", BUSY),
    ({"kind": "rate_limited", "retry_after": 7}, "429 rate_limit_error", Throttled("rate_limit_error", "", 7.0)),
    ({"kind": "rate_limited", "retry_after": None}, "429 rate_limit_error", Throttled("rate_limit_error", "")),
    ({"kind": "error_before_accept", "status": 401}, "401 authentication_error", AccountTrouble),
    ({"kind": "error_before_accept", "status": 402}, "402 billing_error", AccountTrouble),
    ({"kind": "error_before_accept", "status": 403}, "403 permission_error", AccountTrouble),
    ({"kind": "spend_cap"}, "429 rate_limit_error", AccountTrouble),
]  # fmt: skip
IDS = [f"{fault['kind']}-{fault.get('status', '')}" for fault, _, _ in FAULTS]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("fault", "told", "expected"), FAULTS, ids=IDS)
def test_every_fault_has_its_reply_as_in_the_sdk(
    emulator: RunningEmulator, fault: dict[str, Any], told: str, expected: Any, caller: Caller
) -> None:
    """Each way a call can fail is sorted; the SDK sees the same status and type; each of them sends one POST."""
    params = PARAMS % b"hi"
    emulator.inject(endpoint="messages.create", times=2, **fault)
    within = WITHIN if "hang" in fault["kind"] else 10.0
    assert asyncio.run(_sdk(emulator.base_url, params, "sk-test", within)).startswith(told)
    signed = access(caller, emulator).get("signer")
    if expected is AccountTrouble:
        with pytest.raises(AccountTrouble, match=f"HTTP {told[:3]}: {told[4:]}"):
            _ask(emulator.base_url, signer=signed)
    else:
        reply: Any = _ask(emulator.base_url, within=within, signer=signed)
        assert type(reply) is type(expected)
        told_kind = _sorted(reply)["kind"]
        assert _sorted(reply) == _sorted(expected) | ({} if expected.kind else {"kind": told_kind})
    assert sum(emulator.call_summary()["by_endpoint"]["messages.create"].values()) == 2


def _sorted(reply: Any) -> dict[str, Any]:
    names = ("kind", "is_uncertain", "is_global", "retry_after")
    return {name: getattr(reply, name) for name in names if hasattr(reply, name)}


@pytest.mark.parametrize(
    "params",
    [
        PARAMS % b"hi",
        PARAMS % "日本 é".encode(),
        b'{"model":"claude-haiku-5-5","max_tokens":0,"messages":[]}',
        b'{"model":"claude-haiku-5-5","max_tokens":16,"messages":[{"role":"user","content":"x"}],"temperature":1}',
        b'{"model":"no-such-model","max_tokens":16,"messages":[{"role":"user","content":"x"}]}',
        PARAMS % b"[[errored:quota_haze_error]]",
        PARAMS % b"[[refusal]]",
    ],
    ids=str,
)
def test_the_api_answers_both_alike(emulator: RunningEmulator, params: bytes) -> None:
    """Good and bad requests: the same status and type, or the same message."""
    told = asyncio.run(_sdk(emulator.base_url, params, "sk-test", 10.0))
    reply = _ask(emulator.base_url, params)
    match reply:
        case Answer(body=body):
            assert told == "answered"
            assert usage_of(body) is not None
        case Refused(kind=kind, message=message):
            assert told.endswith(kind)
            assert message
        case Passing(kind=kind, message=message):
            assert told == f"500 {kind}"
            assert message.startswith("HTTP 500: ")
        case _:
            pytest.fail(f"{reply}")


def test_the_request_is_the_sdks() -> None:
    """Address, key, version and type are what the SDK sends; the body is the params, to the byte."""
    params = PARAMS % b"hi"

    async def both() -> list[tuple[str, dict[str, str], bytes]]:
        async with _recorder() as (url, seen):
            api = AiohttpMessageApi(api_key="sk-test", base_url=f"{url}/proxy/")
            await api.send(params, within=5)
            await api.close()
            await _sdk(f"{url}/proxy/", params, "sk-test", 5)
        return seen

    (line, ours, body), (sdk_line, theirs, _) = asyncio.run(both())
    assert line == sdk_line == "POST /proxy/v1/messages HTTP/1.1"
    for name in ("authorization", "anthropic-version", "content-type", "accept", "host"):
        assert ours[name] == theirs[name], name
    assert ours["user-agent"].startswith("batchdrop/")
    assert (body, ours["content-length"]) == (params, str(len(params)))
    assert "cookie" not in ours


@asynccontextmanager
async def _recorder(
    answer: bytes = b'HTTP/1.1 400 x\r\ncontent-length: 24\r\n\r\n{"error":{"type":"why"}}',
) -> AsyncIterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """Serve a fixed answer to every call, and keep what came."""
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seen.append((line, headers, body))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()


def _answered_by(answer: bytes) -> tuple[Reply, int]:
    async def asked() -> tuple[Reply, int]:
        async with _recorder(answer) as (url, seen):
            api = AiohttpMessageApi(api_key="k", base_url=url)
            reply = await api.send(PARAMS % b"hi", within=5)
            await api.close()
            return reply, len(seen)

    return asyncio.run(asked())


def _http(status: int, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d x" % status, b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """Neither a prompt nor the key goes to another address."""

    async def asked() -> tuple[Reply, int]:
        async with _recorder() as (elsewhere, seen):
            async with _recorder(_http(status, b"", b"location: %s/v1/messages" % elsewhere.encode())) as (url, _):
                api = AiohttpMessageApi(api_key="k", base_url=url)
                reply = await api.send(PARAMS % b"hi", within=5)
                await api.close()
            return reply, len(seen)

    reply, calls_elsewhere = asyncio.run(asked())
    assert (type(reply), calls_elsewhere) == (Passing, 0)


def test_an_answer_without_a_body_is_lost() -> None:
    """200 and nothing else: it may have been billed; and nothing is sent again by the client."""
    reply, calls = _answered_by(_http(200, b'{"type":"message","content":[]}')[:-31])
    assert isinstance(reply, Passing)
    assert (reply.is_uncertain, calls) == (True, 1)


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 413, 422, 500, 503, 504, 524])
def test_a_page_of_a_proxy_is_passing(status: int) -> None:
    """It says nothing about the account or the request, and the answer that it hides may be billed."""
    reply, _ = _answered_by(_http(status, b"<html>busy</html>"))
    assert reply == Passing("api_error", f"HTTP {status}: <html>busy</html>", is_uncertain=True)


def test_a_bad_gateway_is_a_refusal() -> None:
    """In any form: it uses up no try, but it may hide an answer."""
    for body in (b"<html>busy</html>", b'{"type":"error","error":{"type":"api_error","message":"no"}}'):
        reply, _ = _answered_by(_http(502, body, b"retry-after: 3"))
        assert isinstance(reply, Throttled)
        assert (reply.is_global, reply.is_server_error, reply.retry_after) == (True, True, 3.0)


def test_a_body_that_is_no_json_is_passed_on() -> None:
    """The adapter does not judge what a 200 brings."""
    reply, calls = _answered_by(_http(200, b"<html>"))
    assert isinstance(reply, Answer)
    assert (reply.body, calls) == (b"<html>", 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [([b"retry-after: 3"], 3.0), ([b"retry-after-ms: 250", b"retry-after: 3"], 0.25), ([b"retry-after: soon"], None),
     ([b"retry-after: -1"], None), ([b"retry-after: nan"], None), ([], None)],
    ids=str,
)  # fmt: skip
def test_retry_after_is_read_as_the_sdk_does(headers: list[bytes], seconds: float | None) -> None:
    """In seconds or milliseconds; what makes no sense is as if it was not said."""
    reply, _ = _answered_by(_http(429, b"{}", *headers))
    assert isinstance(reply, Throttled)
    assert reply.retry_after == seconds


def test_limits_are_read_from_the_headers(emulator: RunningEmulator) -> None:
    """Limit and what is left of it, for requests and tokens, of an answer and of a refusal."""
    emulator.settings(messages_rpm=2, messages_itpm=8_000, messages_otpm=9_000)
    first = _ask(emulator.base_url)
    assert isinstance(first, Answer)
    limits = limits_of(first.headers)
    assert limits.requests == Room(2, 1)
    assert limits.input_tokens is not None
    assert limits.input_tokens.limit == 8_000 > limits.input_tokens.remaining
    assert limits.output_tokens is not None
    assert limits.output_tokens.limit == 9_000
    _ask(emulator.base_url)
    refused = _ask(emulator.base_url)
    assert isinstance(refused, Throttled)
    assert refused.limits.requests == Room(2, 0)
    assert refused.retry_after == 30.0


def test_a_slow_body_ends_in_time(emulator: RunningEmulator) -> None:
    """The time is for the whole answer: one that dribbles does not hold its place for ever."""
    emulator.inject("slow_body", "messages.create", seconds=20)
    reply = _ask(emulator.base_url, within=WITHIN)
    assert isinstance(reply, Passing)
    assert (reply.kind, reply.is_uncertain) == ("timeout_error", True)


def test_nothing_listens() -> None:
    """A refused connection sent nothing, so nothing is uncertain."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        reply = _ask(f"http://127.0.0.1:{probe.getsockname()[1]}")
    assert isinstance(reply, Passing)
    assert not reply.is_uncertain


def test_connections_are_used_again(emulator: RunningEmulator) -> None:
    """Many requests, one after another, come over one connection; another loop gets a pool of its own."""
    api = AiohttpMessageApi(api_key="k", base_url=emulator.base_url)

    async def twice() -> int:
        await api.send(PARAMS % b"hi", within=5)
        await api.send(PARAMS % b"hi", within=5)
        pools = _connections(api)
        await api.close()
        return pools

    assert [asyncio.run(twice()), asyncio.run(twice())] == [1, 1]


def _connections(api: AiohttpMessageApi) -> int:
    assert api._session is not None
    connector: Any = api._session.connector
    return sum(len(connections) for connections in connector._conns.values())


def test_the_fake_answers_as_the_adapter_does(emulator: RunningEmulator) -> None:
    """Both give a message that the result line takes, and tell limits."""
    params = PARAMS % b"hi"

    async def fake() -> Reply:
        return await FakeMessageApi().send(params, within=5)

    for reply in (run(fake()), _ask(emulator.base_url)):
        assert isinstance(reply, Answer)
        assert usage_of(reply.body) is not None
        assert limits_of(reply.headers).requests is not None
    assert prompt_of(params) == "hi"
