"""Responses that misbehave: dropped connections, hanging calls, slow bodies."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from batchdrop.local.claude_api.results import ConnectionDropped

CLOSE = "claude_api.close_connection"
"""The key in the ASGI scope's state of the function that closes the TCP connection."""
_DRIBBLES = 20


class DroppedResponse(Response):
    """Closes the connection without sending a byte."""

    outcome = "dropped"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection; raises ConnectionDropped on an in-process transport."""
        del send
        await drop(scope, receive)


class HangingResponse(Response):
    """Sends nothing until the client gives up or `seconds` (real ones) have passed; then it drops the connection."""

    outcome = "hung"

    def __init__(self, seconds: float) -> None:
        """Set the longest time to hang, in seconds."""
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then close."""
        del send
        try:
            await asyncio.wait_for(_gone(receive), self._seconds)
        except TimeoutError:
            await drop(scope, receive)


class SlowResponse(Response):
    """Sends a finished body in small pieces over `seconds` (real ones)."""

    def __init__(self, response: Response, body: bytes, seconds: float) -> None:
        """Take over status and headers of `response`."""
        super().__init__(body, response.status_code)
        self.raw_headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
        self.raw_headers.append((b"content-length", str(len(body)).encode()))
        self._pause = seconds / _DRIBBLES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces slowly."""
        del scope, receive
        body = bytes(self.body)
        size = max(1, -(-len(body) // _DRIBBLES))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(body), size):
            await asyncio.sleep(self._pause)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LinesResponse(Response):
    """Streams blocks from a worker thread; drops the connection when they raise ConnectionDropped."""

    def __init__(self, blocks: Iterator[bytes], headers: Mapping[str, str] | None = None) -> None:
        """Take the blocks, which may raise ConnectionDropped."""
        super().__init__(b"", headers=headers, media_type="application/x-jsonl")
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self.blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream the blocks."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for block in iterate_in_threadpool(self.blocks):
                await send({"type": "http.response.body", "body": block, "more_body": True})
        except ConnectionDropped:
            await drop(scope, receive)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def drop(scope: Scope, receive: Receive) -> None:
    """Close the TCP connection after the bytes already sent; raises ConnectionDropped if there is none."""
    close: Callable[[], None] | None = scope.get("state", {}).get(CLOSE)
    if close is None:
        raise ConnectionDropped
    close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
