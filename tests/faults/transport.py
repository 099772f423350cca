"""Calls straight into the emulator's ASGI application: no socket, and the same errors as over one.

`test_transport.py` holds it to what a real connection does where the emulator drops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message

from batchdrop.local.claude_api.connection import CLOSE

BASE_URL = "http://claude.test"
NO_ANSWER = "Server disconnected without sending a response."
CUT_OFF = "peer closed connection without sending complete message body (incomplete chunked read)"


class EmulatorTransport(httpx2.BaseTransport):
    """A transport for httpx2 clients; may be used by several threads, one at a time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. Raises RemoteProtocolError where the emulator drops the connection."""
        return self.send(request, body_of(request))

    def send(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        """Send a request whose body was read already."""
        call = _Call(request, body)
        self._loop.run_until_complete(self._app(call.scope(), call.receive, call.send))
        if call.status is None:
            raise httpx2.RemoteProtocolError(NO_ANSWER, request=request)
        return httpx2.Response(call.status, headers=call.headers, stream=_Body(call.pieces, whole=not call.dropped))

    def close(self) -> None:
        """Close the loop."""
        self._loop.close()


def body_of(request: httpx2.Request) -> bytes:
    """Read a request's body; whatever its source raises, the emulator has seen nothing yet."""
    assert isinstance(request.stream, httpx2.SyncByteStream)
    return b"".join(request.stream)


class _Call:
    def __init__(self, request: httpx2.Request, body: bytes) -> None:
        self._request = request
        self._body = body
        self._is_read = False
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.dropped = False

    def scope(self) -> dict[str, Any]:
        url = self._request.url
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "path": url.path,
            "raw_path": url.raw_path,
            "query_string": url.query,
            "scheme": url.scheme,
            "root_path": "",
            "client": ("client", 1),
            "server": (url.host, url.port),
            "state": {CLOSE: self._drop},
        }

    def _drop(self) -> None:
        self.dropped = True

    async def receive(self) -> Message:
        if self._is_read:
            return {"type": "http.disconnect"}
        self._is_read = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.pieces.append(message.get("body", b""))


class _Body(httpx2.SyncByteStream):
    def __init__(self, pieces: list[bytes], *, whole: bool) -> None:
        self._pieces = pieces
        self._whole = whole

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if not self._whole:
            raise httpx2.RemoteProtocolError(CUT_OFF)
