"""Put a streamed answer together: server-sent events in, the message's JSON out, as the API sends it unstreamed."""

from __future__ import annotations

import json
from typing import Any

from batchdrop.adapters.claude.errors import ApiError

_FIELDS = (b"event:", b"data:", b":")  # what a stream of events may start with


class MessageStream:
    """The events of one answer. Feed it the bytes as they come.

    `has_begun`: the message has started, so its prompt may be billed. `error` is the API's own error, if it sent one.
    `raw` has the bytes until the message starts.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self.error: ApiError | None = None
        self.raw = b""
        self._rest = b""
        self._message: dict[str, Any] = {}
        self._inputs: dict[int, str] = {}
        self._is_whole = False

    def feed(self, block: bytes) -> None:
        """Take the next bytes."""
        if not self.has_begun:
            self.raw += block
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self._line(line)

    @property
    def is_stream(self) -> bool:
        """Return whether the bytes are events at all. A gateway may give a page, or a whole message, this type."""
        return self.has_begun or not self.raw.strip() or self.raw.lstrip().startswith(_FIELDS)

    def end(self) -> bytes | None:
        """Return the message's JSON; None if the stream broke off. One with its stop_reason is whole."""
        self._line(self._rest)
        self._rest = b""
        if not self._is_whole:
            return None
        for index, text in self._inputs.items():
            self._message["content"][index] |= _tool_input(text)
        return json.dumps(self._message, separators=(",", ":")).encode()  # in ASCII, as half a surrogate pair must be

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return  # the event's name is in its data, too; comments and ids say nothing
        try:
            event = json.loads(line[5:].decode(errors="replace"), strict=False)
            self._event(event, event["type"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return  # an odd event costs its own piece; without its end, the whole answer counts as lost

    def _event(self, event: dict[str, Any], kind: str) -> None:
        match kind:
            case "message_start":
                self.has_begun, self._message = True, event["message"]
                self._message["content"] = [*(self._message.get("content") or [])]
            case "content_block_start":
                self._message["content"].append(event["content_block"])
            case "content_block_delta":
                self._delta(event["index"], event["delta"])
            case "message_delta":
                self._message |= event["delta"]
                usage = {name: count for name, count in (event.get("usage") or {}).items() if count is not None}
                self._message["usage"] = {**(self._message.get("usage") or {}), **usage}
                self._is_whole |= bool(self._message.get("stop_reason"))
            case "message_stop":
                self._is_whole = self.has_begun
            case "error":
                error = event.get("error") or {}
                self.error = ApiError(str(error.get("type") or "api_error"), str(error.get("message") or ""))

    def _delta(self, index: int, delta: dict[str, Any]) -> None:
        block = self._message["content"][index]
        for name, value in delta.items():
            match name:
                case "type":
                    continue
                case "partial_json":
                    self._inputs[index] = self._inputs.get(index, "") + value
                case "citation":
                    block["citations"] = [*(block.get("citations") or []), value]
                case _:  # text, thinking, signature, and what the API may add
                    known = block.get(name)
                    block[name] = known + value if isinstance(known, str) and isinstance(value, str) else value


def _tool_input(text: str) -> dict[str, Any]:
    """Return a tool's input. One that was cut at max_tokens is kept as text beside an empty input."""
    if not text:
        return {}
    try:
        return {"input": json.loads(text, strict=False)}
    except (ValueError, RecursionError):
        return {"partial_json": text}


def is_stream(content_type: str, body: bytes) -> bool:
    """Return whether a response is a stream of events. A gateway may have changed its content type."""
    return "text/event-stream" in content_type or body.startswith(_FIELDS[:2])
