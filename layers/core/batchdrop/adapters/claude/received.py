"""Receive a response of the Messages API, as far as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from batchdrop.adapters.claude.content_encoding import plain_body
from batchdrop.adapters.claude.message_stream import MessageStream, is_stream


@dataclass(frozen=True, slots=True)
class Received:
    """A response. `broken` is the error that ended it early, if any; `body` then has the bytes until it.

    `stream` has the events of a streamed answer, and `body` is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    stream: MessageStream | None = None
    broken: Exception | None = None


async def received_from(response: aiohttp.ClientResponse) -> Received:
    """Read a response to its end, without its compression. An error on the way ends it, and is not raised."""
    headers = response.headers
    encoding, kind = headers.get("content-encoding", ""), headers.get("content-type", "")
    stream = MessageStream() if is_stream(kind, b"") and not encoding else None
    body, broken = bytearray(), None
    try:
        async for block in response.content.iter_any():
            if stream is None:
                body += block
            else:  # a window of long streams would fill the memory
                stream.feed(block)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        broken = error
    plain = plain_body(bytes(body), encoding)
    if stream is None and is_stream(kind, plain):
        stream = MessageStream()
        stream.feed(plain)
    return Received(response.status, headers, b"" if stream else plain, stream, broken)
