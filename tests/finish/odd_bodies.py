"""One result record, spoilt in every way that the API's records are known to be odd."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Spoil = Callable[[bytes], bytes]


def _of_json(change: Callable[[dict[str, Any]], object]) -> Spoil:
    def spoil(line: bytes) -> bytes:
        record = json.loads(line)
        change(record)
        return json.dumps(record).encode() + b"\n"

    return spoil


def _message(**fields: Any) -> Spoil:
    return _of_json(lambda record: record["result"]["message"].update(fields))


def _result(value: Any) -> Spoil:
    return _of_json(lambda record: record.update(result=value))


ANSWERED: dict[str, Spoil] = {
    "half a surrogate pair": lambda line: line.replace(b"re: ", b"\\ud83d"),
    "the other half": lambda line: line.replace(b"re: ", b"\\\\\\udc00"),
    "invalid UTF-8": lambda line: line.replace(b"re: ", b"\xff\xfe"),
    "a raw control character": lambda line: line.replace(b"re: ", b"\x01\t"),
    "usage null": _message(usage=None),
    "null token counts": _message(usage={"input_tokens": None, "output_tokens": None, "cache_creation": None}),
    "token counts of other types": _message(usage={"input_tokens": "12", "output_tokens": 1e99}),
    "model null": _message(model=None),
    "stop_reason missing": _of_json(lambda record: record["result"]["message"].pop("stop_reason")),
    "content null": _message(content=None),
    "content empty": _message(content=[]),
    "content a text": _message(content="re: all"),
    "a block null": _message(content=[None, {"type": "text", "text": "re: it"}]),
    "a text null": _message(content=[{"type": "text", "text": None}]),
    "a BOM": lambda line: b"\xef\xbb\xbf" + line,
    "CRLF": lambda line: line.replace(b"\n", b"\r\n"),
    "blank lines": lambda line: b"\n \r\n" + line + b"\n\n",
    "glued to the next line": lambda line: line.rstrip(b"\n"),
    "an unknown field": _of_json(lambda record: record.update(later={"\ud83d": [1e400]})),
}
"""The row is answered, and paid."""

EMPTY = {"content null", "content empty", "a text null"}
"""The answers among them that have no text."""

FAILED: dict[str, Spoil] = {
    "a flat error": _result({"type": "errored", "error": {"type": "invalid_request_error", "message": "no"}}),
    "a message that is an object": _result(
        {"type": "errored", "error": {"type": "error", "error": {"type": "not_found_error", "message": {"a": 1}}}}
    ),
}
"""The row fails for good: unpaid."""

LEFT: dict[str, Spoil] = {
    "error null": _result({"type": "errored", "error": None}),
    "inner error null": _result({"type": "errored", "error": {"type": "error", "error": None}}),
    "an error that is a text": _result({"type": "errored", "error": "busy"}),
    "a flat passing error": _result({"type": "errored", "error": {"type": "overloaded_error", "message": "busy"}}),
    "no error": _result({"type": "errored"}),
}
"""The row is unpaid, and is sent again."""

UNREADABLE: dict[str, Spoil] = {
    "custom_id null": _of_json(lambda record: record.update(custom_id=None)),
    "custom_id missing": _of_json(lambda record: record.pop("custom_id")),
    "custom_id a number": _of_json(lambda record: record.update(custom_id=7)),
    "custom_id no text": lambda line: line.replace(b'"custom_id":"', b'"custom_id":"\xff'),
    "message null": _of_json(lambda record: record["result"].update(message=None)),
    "message empty": _of_json(lambda record: record["result"].update(message={})),
    "result null": _result(None),
    "no result": _of_json(lambda record: record.pop("result")),
}
"""The row is paid, and nobody can read its record."""
