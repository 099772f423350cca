"""Streamed answers of the live lane: the same message as unstreamed, and as the official SDK puts it together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import msgspec
import pytest

from batchdrop.adapters.claude.message_stream import MessageStream
from batchdrop.adapters.claude.messages import AiohttpMessageApi
from batchdrop.answers.odd_records import odd_usage
from batchdrop.answers.result_line import usage_of
from batchdrop.errors import AccountTrouble
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled
from batchdrop.local.claude_api.testing import RunningEmulator

TOOL = {"name": "rate", "input_schema": {"type": "object", "properties": {"stars": {"type": "integer"}}}}
MESSAGE = {"model": "claude-haiku-5-5", "max_tokens": 400, "messages": [{"role": "user", "content": "Grüße [[long]]"}]}


def _sent(base_url: str, params: dict[str, Any] = MESSAGE, *, is_streamed: bool = True, within: float = 10.0) -> Reply:
    async def sent() -> Reply:
        api = AiohttpMessageApi(api_key="sk-test", base_url=base_url)
        try:
            return await api.send(msgspec.json.encode(params), within=within, is_streamed=is_streamed)
        finally:
            await api.close()

    return asyncio.run(sent())


async def _by_sdk(base_url: str, params: dict[str, Any]) -> dict[str, Any]:
    async with (
        anthropic.AsyncAnthropic(api_key="sk-test", base_url=base_url, max_retries=0) as sdk,
        sdk.messages.stream(**params) as stream,
    ):
        return (await stream.get_final_message()).to_dict()


@pytest.mark.parametrize("more", [{}, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "rate"}}], ids=str)
def test_a_stream_is_the_message(emulator: RunningEmulator, more: dict[str, Any]) -> None:
    """Ours, the SDK's and the unstreamed one are equal; each is billed once."""
    params = MESSAGE | more
    streamed, whole = _sent(emulator.base_url, params), _sent(emulator.base_url, params, is_streamed=False)
    assert isinstance(streamed, Answer)
    assert isinstance(whole, Answer)
    assert json.loads(streamed.body) == json.loads(whole.body) == asyncio.run(_by_sdk(emulator.base_url, params))
    assert usage_of(streamed.body) == usage_of(whole.body) is not None
    assert len(emulator.bill()) == 3


OVERLOADED = Throttled("overloaded_error", "", is_global=True)
BEFORE_THE_MESSAGE: list[tuple[int, type]] = [
    (429, Throttled),
    (529, Throttled),
    (500, Passing),
    (504, Passing),
    (400, Refused),
]


@pytest.mark.parametrize(("status", "kind"), BEFORE_THE_MESSAGE)
def test_an_error_before_the_message_is_like_its_status(emulator: RunningEmulator, status: int, kind: type) -> None:
    """The stream has only its own 200, and nothing is billed."""
    emulator.inject("stream_error", status=status, fraction=0.0)
    reply = _sent(emulator.base_url)
    assert emulator.bill() == []
    assert isinstance(reply, kind)
    assert not getattr(reply, "is_uncertain", False)


def test_account_trouble_in_a_stream_stops_the_job(emulator: RunningEmulator) -> None:
    """As it does outside of one."""
    emulator.inject("stream_error", status=402, fraction=0.0)
    with pytest.raises(AccountTrouble):
        _sent(emulator.base_url)


@pytest.mark.parametrize("status", [500, 529])
def test_an_error_within_the_message_uses_up_a_try(emulator: RunningEmulator, status: int) -> None:
    """The prompt was read, and a part was written: it is counted as perhaps paid."""
    emulator.inject("stream_error", status=status, fraction=0.5)
    reply = _sent(emulator.base_url)
    assert len(emulator.bill()) == 1
    assert isinstance(reply, Passing)
    assert (reply.is_uncertain, reply.is_server_error) == (False, True)


@pytest.mark.parametrize("fault", [{"kind": "stream_dropped"}, {"kind": "odd_body", "shape": "cut"}], ids=str)
def test_a_stream_that_breaks_off_is_lost(emulator: RunningEmulator, fault: dict[str, Any]) -> None:
    """Dropped or at a clean close: half an answer is none, and it may be billed."""
    emulator.inject(**fault, endpoint="messages.create")
    reply = _sent(emulator.base_url)
    assert isinstance(reply, Passing)
    assert reply.is_uncertain


def test_a_stream_that_breaks_off_after_its_stop_reason_is_an_answer(emulator: RunningEmulator) -> None:
    """Nothing of it is missing."""
    emulator.inject("stream_dropped", fraction=0.99)
    reply = _sent(emulator.base_url)
    assert isinstance(reply, Answer)
    assert json.loads(reply.body)["stop_reason"] == "end_turn"


@pytest.mark.parametrize("shape", ["gzip", "deflate", "bom", "crlf"])
def test_a_gateway_may_change_a_stream(emulator: RunningEmulator, shape: str) -> None:
    """Compressed, or with other line ends."""
    emulator.inject("odd_body", "messages.create", shape=shape)
    reply = _sent(emulator.base_url)
    assert isinstance(reply, Answer)
    assert usage_of(reply.body) is not None


def test_a_gateway_that_does_not_stream_is_read(emulator: RunningEmulator) -> None:
    """A page with the type of a stream is an answer that cannot be read; it is not sent again."""
    emulator.inject("page_after_accept", "messages.create", status=200)
    reply = _sent(emulator.base_url)
    assert isinstance(reply, Answer)
    assert usage_of(reply.body) is None


def _message(*events: dict[str, Any], content: list[dict[str, Any]] | None = None) -> Any:
    stream = MessageStream()
    start: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 7},
    }
    begin: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    begin += [
        {"type": "content_block_start", "index": at, "content_block": one} for at, one in enumerate(content or [])
    ]
    for event in [
        *begin,
        *events,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 3, "input_tokens": None},
        },
    ]:
        stream.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    ended = stream.end()
    return None if ended is None else json.loads(ended)


def _delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "x", **delta}}


def test_all_blocks_are_put_together() -> None:
    """Thinking with its signature, text with citations, a tool's input; a null count keeps the first one."""
    message = _message(
        _delta(0, thinking="Let me "),
        _delta(0, thinking="see"),
        _delta(0, signature="abc="),
        _delta(1, text="yes "),
        _delta(1, citation={"cited_text": "y"}),
        _delta(1, text="\ud83d"),
        _delta(2, partial_json='{"stars"'),
        _delta(2, partial_json=": 5}"),
        content=[
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "text", "text": "", "citations": None},
            {"type": "tool_use", "id": "t", "name": "rate", "input": {}},
        ],
    )
    assert message["content"] == [
        {"type": "thinking", "thinking": "Let me see", "signature": "abc="},
        {"type": "text", "text": "yes \ud83d", "citations": [{"cited_text": "y"}]},
        {"type": "tool_use", "id": "t", "name": "rate", "input": {"stars": 5}},
    ]
    assert (message["stop_reason"], message["usage"]) == ("end_turn", {"input_tokens": 7, "output_tokens": 3})
    body = json.dumps(message).encode()
    assert usage_of(body) or odd_usage(body)


def test_a_cut_tool_input_is_kept_as_text() -> None:
    """At max_tokens, a tool's input breaks off."""
    [block] = _message(_delta(0, partial_json='{"stars'), content=[{"type": "tool_use", "input": {}}])["content"]
    assert block == {"type": "tool_use", "input": {}, "partial_json": '{"stars'}


def test_odd_events_cost_their_own_piece() -> None:
    """Unknown events, other shapes, an index that there is not, bytes that are no JSON."""
    message = _message(
        {"type": "new"}, {"type": 5}, _delta(9, text="x"), _delta(0, text="a"), content=[{"type": "text", "text": ""}]
    )
    assert message["content"] == [{"type": "text", "text": "a"}]
    stream = MessageStream()
    stream.feed(b'data: {"type"\n\ndata: []\n\n: ping\n\ndata:')
    assert (stream.end(), stream.has_begun, stream.is_stream) == (None, False, True)
