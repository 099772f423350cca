"""Streamed answers: the server-sent events of a message, and the ways in which a stream ends early."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from starlette.responses import Response

from batchdrop.local.claude_api.connection import LinesResponse
from batchdrop.local.claude_api.errors import ApiError
from batchdrop.local.claude_api.message_types import Message
from batchdrop.local.claude_api.results import ConnectionDropped

EVENT_STREAM = "text/event-stream"
_PIECE = 12  # characters of a delta


def streamed(message: Message) -> Response:
    """Return a message as a stream."""
    return Response(b"".join(_events(msgspec.to_builtins(message))), media_type=EVENT_STREAM)


def ends_before_message(response: Response, fraction: float) -> bool:
    """Return whether this first part of a stream has no event."""
    return not _first(response, fraction)


def ended_by_error(response: Response, error: ApiError, fraction: float) -> Response:
    """Return the first part of a stream, then an `error` event."""
    told = {"type": "error", "error": {"type": error.kind, "message": error.message}}
    body = _first(response, fraction) + _event("error", told)
    return Response(body, media_type=EVENT_STREAM)


def dropped_within(response: Response, fraction: float) -> Response:
    """Return the first part of a stream, then close the connection."""

    def blocks() -> Iterator[bytes]:
        yield _first(response, fraction)
        raise ConnectionDropped

    dropped = LinesResponse(blocks())
    dropped.headers["content-type"] = EVENT_STREAM
    return dropped


def _first(response: Response, fraction: float) -> bytes:
    events = bytes(response.body).split(b"\n\n")[:-1]
    return b"".join(event + b"\n\n" for event in events[: round(len(events) * fraction)])


def _events(message: dict[str, Any]) -> Iterator[bytes]:
    ending = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    begun = {**message, **dict.fromkeys(ending), "content": [], "usage": {**message["usage"], "output_tokens": 1}}
    yield _event("message_start", {"type": "message_start", "message": begun})
    yield _event("ping", {"type": "ping"})
    for index, block in enumerate(message["content"]):
        yield from _block_events(index, block)
    usage = {"output_tokens": message["usage"]["output_tokens"]}
    yield _event("message_delta", {"type": "message_delta", "delta": ending, "usage": usage})
    yield _event("message_stop", {"type": "message_stop"})


def _block_events(index: int, block: dict[str, Any]) -> Iterator[bytes]:
    is_text = block["type"] == "text"
    empty: dict[str, Any] = {"text": ""} if is_text else {"input": {}}
    yield _event(
        "content_block_start", {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
    )
    whole = block["text"] if is_text else json.dumps(block["input"])
    kind, name = ("text_delta", "text") if is_text else ("input_json_delta", "partial_json")
    for start in range(0, len(whole), _PIECE):
        delta = {"type": kind, name: whole[start : start + _PIECE]}
        yield _event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
    yield _event("content_block_stop", {"type": "content_block_stop", "index": index})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
