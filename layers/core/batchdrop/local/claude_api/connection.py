"""Answers that are not answers: dropped connections, calls left hanging, bodies that dribble."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from batchdrop.local.claude_api.results import ConnectionDropped

CLOSE = "claude_api.close_connection"
"""Where the server leaves, in the ASGI scope's state, the function that closes the TCP connection."""
_DRIBBLES = 20


class DroppedResponse(Response):
    """Closes the connection without a byte of an answer."""

    outcome = "dropped"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close; raises ConnectionDropped where there is no connection (an in-process transport)."""
        del send
        await drop(scope, receive)


class HangingResponse(Response):
    """Says nothing until the client gives up, or `seconds` (real ones) have passed and the connection is dropped."""

    outcome = "hung"

    def __init__(self, seconds: float) -> None:
        """`seconds` is the longest it hangs."""
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
        """Take status and headers from `response`."""
        super().__init__(body, response.status_code)
        self.raw_headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
        self.raw_headers.append((b"content-length", str(len(body)).encode()))
        self._pause = seconds / _DRIBBLES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dribble."""
        del scope, receive
        body = bytes(self.body)
        size = max(1, -(-len(body) // _DRIBBLES))
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(body), size):
            await asyncio.sleep(self._pause)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LinesResponse(Response):
    """Streams blocks made in a worker thread; drops the connection when they say so."""

    def __init__(self, blocks: Iterator[bytes], headers: Mapping[str, str] | None = None) -> None:
        """`blocks` may raise ConnectionDropped."""
        super().__init__(b"", headers=headers, media_type="application/x-jsonl")
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self.blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for block in iterate_in_threadpool(self.blocks):
                await send({"type": "http.response.body", "body": block, "more_body": True})
        except ConnectionDropped:
            await drop(scope, receive)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def drop(scope: Scope, receive: Receive) -> None:
    """Close the TCP connection after what was already sent; raises ConnectionDropped if there is none."""
    close: Callable[[], None] | None = scope.get("state", {}).get(CLOSE)
    if close is None:
        raise ConnectionDropped
    close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
