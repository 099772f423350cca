"""A minimal HTTP server in place of the Messages API, for benchmarks in which the emulator is the bottleneck.

    python -m benchmarks.fast_server [--seconds 0.2] [--sigma 0.6]

It answers every POST with one message of 700 bytes and the API's rate-limit headers, after a constant or
lognormal time. It prints its address when it listens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random

_MESSAGE = {
    "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "positive, and quite sure of it. " * 14}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 110, "output_tokens": 90, "service_tier": "standard"},
}
_KINDS = ("requests", "tokens", "input-tokens", "output-tokens")


def _answer() -> bytes:
    body = json.dumps(_MESSAGE, separators=(",", ":")).encode()
    lines = ["HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(body)}"]
    for kind in _KINDS:
        lines += [f"anthropic-ratelimit-{kind}-limit: 600000000", f"anthropic-ratelimit-{kind}-remaining: 600000000"]
        lines += [f"anthropic-ratelimit-{kind}-reset: 2026-11-22T12:00:00Z"]
    lines += ["request-id: req_011CSHoEeqs5C35K2UUqR7Fy"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    answer = _answer()
    seconds = 0.2
    sigma = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the answers."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Schedule the answer to each complete request."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) >= length:
            self._buffer = rest[length:]
            self._loop.call_later(self._latency(), self._send)

    def _latency(self) -> float:
        return self.seconds * math.exp(random.gauss(0, self.sigma)) if self.sigma else self.seconds

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self.answer)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=1000)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--sigma", type=float, default=0.0)
    options = parser.parse_args()
    _Connection.seconds, _Connection.sigma = options.seconds, options.sigma
    random.seed(1)
    asyncio.run(_serve())
