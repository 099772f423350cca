"""Result lines of the live lane, in the format that Message Batches give: the join reads both alike."""

from __future__ import annotations

import msgspec

from batchdrop.answers.result import Usage


class _Block(msgspec.Struct, gc=False):
    type: str


class _Message(msgspec.Struct):
    """A message as far as `result.Message` wants it, without its text."""

    model: str
    content: list[_Block]
    stop_reason: str | None
    usage: Usage


_MESSAGE = msgspec.json.Decoder(_Message)


class _Result(msgspec.Struct):
    type: str


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


_LINE = msgspec.json.Decoder(_Line)


def usage_of(body: bytes) -> Usage | None:
    """Return an answer's usage; None if the body is no message: cut short, no JSON, or of another shape."""
    try:
        return _MESSAGE.decode(body).usage
    except msgspec.DecodeError:
        return None


def succeeded_line(custom_id: str, message: bytes, seconds: float) -> bytes:
    """Return the line of an answer that took so long, with its newline; the message stays as it came, on one line."""
    if b"\n" in message or b"\r" in message:  # between two tokens of JSON: strings cannot hold them raw
        message = message.replace(b"\n", b" ").replace(b"\r", b" ")
    told = custom_id.encode(), seconds, message
    return b'{"custom_id":"%b","seconds":%.3f,"result":{"type":"succeeded","message":%b}}\n' % told


def errored_line(custom_id: str, kind: str, message: str) -> bytes:
    """Return the line of a request that has no answer, with its newline; the error is nested twice as the API does."""
    error = msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    return b'{"custom_id":"%b","result":{"type":"errored","error":%b}}\n' % (custom_id.encode(), error)


def canceled_line(custom_id: str) -> bytes:
    """Return the line of a request whose job was canceled before its turn, with its newline."""
    return b'{"custom_id":"%b","result":{"type":"canceled"}}\n' % custom_id.encode()


def address_of(line: bytes) -> tuple[str, bool]:
    """Return a line's custom_id, and whether it is an answer. Raises msgspec.DecodeError."""
    head = _LINE.decode(line)
    return head.custom_id, head.result.type == "succeeded"
