"""A delivered 200 is paid, so the live client returns it as an answer, whatever a gateway did to its body."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable

import brotli
import msgspec
import pytest
import zstandard

from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.answers.odd_records import odd_usage
from batchdrop.answers.result_line import usage_of
from batchdrop.live_lane.reply import Answer, Passing, Reply
from tests.bodies import PARAMS

MESSAGE = msgspec.json.encode(
    {"id": "msg_1", "type": "message", "model": "m", "stop_reason": "end_turn",
     "content": [{"type": "text", "text": "yes"}], "usage": {"input_tokens": 3, "output_tokens": 1}}
)  # fmt: skip
HALF = MESSAGE.replace(b'"yes"', b'"yes \\ud83d"')


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


READABLE: dict[str, tuple[str, bytes]] = {
    "two encodings": ("gzip, br", brotli.compress(gzip.compress(MESSAGE))),
    "gzip that nobody told": ("", gzip.compress(MESSAGE)),
    "gzip that is told, and is none": ("gzip", MESSAGE),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress(MESSAGE)),
    "deflate without its header": ("deflate", _raw_deflate(MESSAGE)),
    "an encoding of its own": ("aws-chunked", MESSAGE),
    "half a surrogate pair": ("", HALF),
    "half a surrogate pair, compressed": ("br", brotli.compress(HALF)),
}
UNREADABLE: dict[str, tuple[str, bytes]] = {
    "a page": ("", b"<html><body>Sign in</body></html>"),
    "a compressed page": ("gzip", gzip.compress(b"<html>")),
    "cut JSON": ("", MESSAGE[:-9]),
    "cut gzip": ("gzip", gzip.compress(MESSAGE)[:-20]),
    "broken br": ("br", b"\x00\xff\x00\xff"),
    "nothing": ("", b""),
}


def _sent(answer: Callable[[bytes], bytes], *, within: float = 5.0) -> Reply:
    """Send one request to a server that answers with these raw bytes, then closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"))
        await writer.drain()
        writer.close()

    async def sent() -> Reply:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        api = AiohttpMessageApi(api_key="k", base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            return await api.send(PARAMS % b"hi", within=within)
        finally:
            await api.close()
            server.close()

    return asyncio.run(sent())


def _with(encoding: str, body: bytes, *, length: int | None = None) -> Callable[[bytes], bytes]:
    told = f"content-encoding: {encoding}\r\n" if encoding else ""
    size = len(body) if length is None else length
    return lambda head: head + f"{told}content-length: {size}\r\n\r\n".encode() + body


@pytest.mark.parametrize("name", READABLE)
def test_what_can_be_decoded_is_an_answer(name: str) -> None:
    """Its usage can be read, so it is delivered."""
    reply = _sent(_with(*READABLE[name]))
    assert isinstance(reply, Answer)
    usage = usage_of(reply.body) or odd_usage(reply.body)
    assert usage is not None
    assert usage.input_tokens == 3


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_an_answer_all_the_same(name: str) -> None:
    """The worker keeps its bytes, and sends the request no second time."""
    reply = _sent(_with(*UNREADABLE[name]))
    assert isinstance(reply, Answer)
    assert (usage_of(reply.body) or odd_usage(reply.body)) is None


@pytest.mark.parametrize("cut", [1, 40, len(MESSAGE) - 1])
def test_a_body_that_breaks_off_is_kept_as_far_as_it_came(cut: int) -> None:
    """The API had answered and billed."""
    reply = _sent(_with("", MESSAGE[:cut], length=len(MESSAGE)))
    assert isinstance(reply, Answer)
    assert reply.body == MESSAGE[:cut]


def test_an_answer_without_a_byte_of_its_body_is_lost() -> None:
    """A gateway may send its status before it has an answer."""
    reply = _sent(_with("", b"", length=len(MESSAGE)))
    assert isinstance(reply, Passing)
    assert reply.is_uncertain


def test_another_status_of_success_is_an_answer() -> None:
    """A gateway may send 201 or 203 in place of 200."""
    reply = _sent(lambda head: head.replace(b"200 OK", b"203 Changed") + b"content-length: 2\r\n\r\n{}")
    assert isinstance(reply, Answer)
