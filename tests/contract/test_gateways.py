"""Gateways in front of the API: another host in results_url, a path before ours, redirects, and changed bodies."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import brotli
import httpx2
import msgspec
import pytest
import zstandard
from aiohttp import web

from batchdrop.adapters.claude.count_tokens import AnthropicTokenCounter
from batchdrop.adapters.claude.create_batch import AnthropicBatchCreator
from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.answers.result import MessageBatch, RequestCounts
from batchdrop.errors import ApiUnavailable, BatchdropError, MessageBatchLost, SubmissionRefused, SubmissionUncertain
from batchdrop.live_lane.reply import Answer, Refused, Reply
from batchdrop.local.claude_api.app import create_app
from batchdrop.local.claude_api.clock import EmulatedClock
from batchdrop.local.claude_api.settings import Settings
from batchdrop.local.claude_api.state import EmulatorState
from tests.bodies import PARAMS, create_body
from tests.faults.transport import EmulatorTransport

ID = "msgbatch_1"
OWN_RESULTS = f"/v1/messages/batches/{ID}/results"
DAY = 86_400.0
NOW = 1_795_348_800.0
Respond = Callable[[httpx2.Request], httpx2.Response]


def _api(answer: Respond, base_url: str = "https://api.test") -> AnthropicBatchCreator:
    return AnthropicBatchCreator(api_key="sk-test", base_url=base_url, transport=httpx2.MockTransport(answer))


def _ended(url: str | None) -> MessageBatch:
    return MessageBatch(ID, "ended", RequestCounts(succeeded=1), "2026-11-22T12:00:00Z", results_url=url)


FOREIGN = [
    "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
    "https://api.test.evil.example/r",
    "http://api.test/r",
    "https://api.test:8443/r",
    "https://api.test@evil.example/r",
    "https://evil.example/https://api.test/r",
    "//evil.example/r",
    "https://[api.test/r",
    "https://api.test/\x00",
    OWN_RESULTS,
    "results",
    "?",
]


@pytest.mark.parametrize("base_url", ["https://api.test", "https://api.test/", "https://api.test/anthropic"])
@pytest.mark.parametrize("url", FOREIGN)
def test_results_of_another_host_are_read_below_the_base_url(url: str, base_url: str) -> None:
    """A gateway passes the service's own results_url on, or a relative one. The key goes to the gateway only."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, content=b"{}\n")

    assert b"".join(_api(answer, base_url).results(_ended(url))) == b"{}\n"
    assert asked == [base_url.rstrip("/") + OWN_RESULTS]


@pytest.mark.parametrize("url", ["https://api.test/v2/results?id=1", "https://API.test:443/v2/results?id=1"])
def test_a_results_url_below_the_base_url_is_used(url: str) -> None:
    """The service says where its results are."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200)

    assert list(_api(answer).results(_ended(url))) == []
    assert asked == ["https://api.test/v2/results?id=1"]


def test_an_id_cannot_lead_to_another_path() -> None:
    """Another client's id in the list may be anything."""
    asked: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path)
        return httpx2.Response(404)

    with pytest.raises(ApiUnavailable):
        _api(answer).retrieve("../files?x=1")
    assert asked == [b"/v1/messages/batches/..%2Ffiles%3Fx%3D1"]


class _Behind(httpx2.BaseTransport):
    """A gateway that serves the emulator below /anthropic only."""

    def __init__(self, inner: EmulatorTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.startswith("/anthropic/v1/"):
            return httpx2.Response(404, text="no such route")
        request.url = request.url.copy_with(raw_path=request.url.raw_path.removeprefix(b"/anthropic"))
        return self._inner.handle_request(request)


@pytest.fixture
def behind() -> Iterator[tuple[_Behind, EmulatorState]]:
    """A gateway with a path of its own, and the emulator behind it."""
    state = EmulatorState(Settings(speed=1.0), clock=EmulatedClock(start=NOW, speed=1.0, wall=lambda: 0.0))
    inner = EmulatorTransport(create_app(state))
    yield _Behind(inner), state
    inner.close()
    state.close()


def test_every_call_goes_below_a_base_url_with_a_path(behind: tuple[_Behind, EmulatorState]) -> None:
    """Create, retrieve, list, results, cancel and count. The service's results_url lacks the path."""
    gateway, state = behind
    base_url = "http://gateway.test/anthropic"
    api = AnthropicBatchCreator(api_key="sk-test", base_url=base_url, transport=gateway)
    batch = api.create(create_body(3), timeout=5)
    second = api.create(create_body(1), timeout=5)
    api.cancel(second.id)
    state.clock.advance(DAY)
    assert [listed.id for listed in api.newest_first()] == [second.id, batch.id]
    ended = api.retrieve(batch.id)
    assert ended.results_url == f"http://gateway.test{OWN_RESULTS.replace(ID, batch.id)}"
    assert len(b"".join(api.results(ended)).splitlines()) == 3
    with closing(AnthropicTokenCounter(api_key="sk-test", base_url=base_url, transport=gateway)) as counter:
        assert counter.count(PARAMS % b"hi") > 0


Call = Callable[[AnthropicBatchCreator], object]
READS: dict[str, Call] = {
    "retrieve": lambda api: api.retrieve(ID),
    "list": lambda api: list(api.newest_first()),
    "results": lambda api: list(api.results(_ended("https://api.test/r"))),
    "cancel": lambda api: api.cancel(ID),
}
CREATE: dict[str, Call] = {"create": lambda api: api.create(create_body(1), timeout=5)}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("call", [*READS, *CREATE])
def test_a_redirect_is_not_followed(call: str, status: int) -> None:
    """Neither a create nor the key goes to another address."""
    hosts: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        return httpx2.Response(status, headers={"location": "https://elsewhere.test/"})

    with pytest.raises(SubmissionUncertain if call in CREATE else ApiUnavailable):
        {**READS, **CREATE}[call](_api(answer))
    assert hosts == ["api.test"]


BOM = b"\xef\xbb\xbf"
BATCH = {
    "id": ID,
    "processing_status": "ended",
    "request_counts": {"succeeded": 1},
    "created_at": "2026-11-22T12:00:00Z",
    "results_url": "https://api.test/r",
}
CHANGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "twice": ("gzip, br", lambda body: brotli.compress(gzip.compress(body))),
    "a BOM": ("", lambda body: BOM + body),
    "CRLF": ("", lambda body: body.replace(b",", b",\r\n") + b"\r\n"),
    "a BOM, compressed": ("gzip", lambda body: gzip.compress(BOM + body)),
}
change = pytest.mark.parametrize("change", CHANGED)


def _changed(change: str, status: int, content: object) -> httpx2.Response:
    encoding, spoil = CHANGED[change]
    headers = {"content-encoding": encoding} if encoding else {}
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return httpx2.Response(status, content=spoil(body), headers=headers)


@change
def test_a_changed_body_is_read(change: str) -> None:
    """Whatever a gateway does to it, the Message Batch and the list are the same."""
    api = _api(lambda request: _changed(change, 200, BATCH if request.url.path.endswith(ID) else _page()))
    batch = api.retrieve(ID)
    assert (batch.id, batch.request_counts.total) == (ID, 1)
    assert list(api.newest_first()) == [batch]
    created = _api(lambda _request: _changed(change, 200, BATCH)).create(create_body(1), timeout=5)
    assert created == batch


def _page() -> dict[str, Any]:
    return {"data": [BATCH], "has_more": False, "last_id": ID}


@pytest.mark.parametrize("change", [name for name, (encoding, _) in CHANGED.items() if encoding and "BOM" not in name])
def test_compressed_results_are_decompressed(change: str) -> None:
    """The lines in the bucket are what the API wrote."""
    lines = b"".join(b'{"custom_id":"row-%d"}\n' % number for number in range(2_000))
    assert b"".join(_api(lambda _request: _changed(change, 200, lines)).results(_ended("/"))) == lines


def _error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "no"}}


@change
def test_a_changed_error_is_the_apis_own(change: str) -> None:
    """It refuses a create, and says that a Message Batch is lost."""
    errors: list[tuple[Call, int, str, type[BatchdropError]]] = [
        (CREATE["create"], 400, "invalid_request_error", SubmissionRefused),
        (READS["retrieve"], 404, "not_found_error", MessageBatchLost),
    ]
    for call, status, kind, raised in errors:
        with pytest.raises(raised):
            call(_api(lambda _request, status=status, kind=kind: _changed(change, status, _error(kind))))  # type: ignore[misc]  # a lambda's defaults have no types


def test_no_call_wants_a_compressed_body() -> None:
    """Decompressing costs more than it saves."""
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["accept-encoding"])
        return httpx2.Response(500)

    for call in (*READS.values(), *CREATE.values()):
        with pytest.raises(BatchdropError):
            call(_api(answer))
    transport = httpx2.MockTransport(answer)
    counter = AnthropicTokenCounter(api_key="k", base_url="https://api.test", transport=transport)
    with closing(counter), pytest.raises(ApiUnavailable):
        counter.count(PARAMS % b"hi")
    assert seen == ["identity"] * 6


MESSAGE = {"id": "msg_1", "type": "message", "model": "m", "content": [], "stop_reason": "end_turn", "usage": {}}


def _asked(answer: Callable[[web.Request], web.Response]) -> Reply:
    """Send one request of the live lane to a gateway below /anthropic."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return answer(request)

    async def asked() -> Reply:
        app = web.Application()
        app.router.add_post("/anthropic/v1/messages", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        api = AiohttpMessageApi(api_key="sk-test", base_url=f"http://127.0.0.1:{port}/anthropic")
        try:
            return await api.send(PARAMS % b"hi", within=5)
        finally:
            await api.close()
            await runner.cleanup()

    return asyncio.run(asked())


ONE_ENCODING = [name for name, (encoding, _) in CHANGED.items() if "," not in encoding]  # all that aiohttp reads


@pytest.mark.parametrize("change", ONE_ENCODING)
def test_the_live_lane_reads_a_changed_body(change: str) -> None:
    """Behind a path, too. It does not want a compressed body, and reads one that comes."""
    seen: list[str] = []
    encoding, spoil = CHANGED[change]
    headers = {"content-encoding": encoding} if encoding else {}

    def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["accept-encoding"])
        return web.Response(body=spoil(msgspec.json.encode(MESSAGE)), headers=headers)

    reply = _asked(answer)
    assert isinstance(reply, Answer)
    assert msgspec.json.decode(reply.body.removeprefix(BOM)) == MESSAGE
    assert seen == ["identity"]


@pytest.mark.parametrize("change", ONE_ENCODING)
def test_the_live_lane_reads_a_changed_error(change: str) -> None:
    """The error's own type says what it means."""
    encoding, spoil = CHANGED[change]
    headers = {"content-encoding": encoding} if encoding else {}
    body = spoil(msgspec.json.encode(_error("not_found_error")))
    assert _asked(lambda _request: web.Response(status=404, body=body, headers=headers)) == Refused(
        "not_found_error", "no"
    )
