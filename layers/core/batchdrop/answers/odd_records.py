"""Read result records that break the API's documented format: one odd record must not cost other rows their answers.

Only lines that the strict decoders refuse come here. Half a surrogate pair and bytes that are not UTF-8 become U+FFFD.
Records glued to one line are separated. Values of the wrong type get a neutral one: a missing usage counts no tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from batchdrop.answers.custom_id import MAX_CUSTOM_ID_CHARS
from batchdrop.answers.result import Unreadable, Usage
from batchdrop.answers.result_line import ResultHead, ResultLine, unreadable_line

ODD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # raised by the strict decoders for odd bytes

_HEAD = msgspec.json.Decoder(ResultHead)
_LINE = msgspec.json.Decoder(ResultLine)
_JSON = json.JSONDecoder(strict=False)  # msgspec finds neither the end of a record nor half a surrogate pair
_CUSTOM_ID = re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_CUSTOM_ID_CHARS}}}")
_RECORD = '{"custom_id"'  # never inside a string, where its quotes are escaped
_BETWEEN = re.compile(r"[\s\ufeff]*")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_COUNTS = ("input_tokens", "output_tokens")
_CACHE_COUNTS = ("cache_creation_input_tokens", "cache_read_input_tokens")
_MOST_TOKENS = 2**53


class Record(NamedTuple):
    """One record as a line that the strict decoders read, without its newline. `custom_id` is empty if it has none."""

    line: bytes
    head: ResultHead


def records_of(line: bytes) -> Iterator[Record | None]:
    """Yield the records of a line, and None for a piece of text that is not a record."""
    for value in _values(_text_of(line)):
        yield _record(value) if isinstance(value, dict) else None


def heads_of(line: bytes) -> list[ResultHead]:
    """Return the heads of a line's records; nearly always one."""
    try:
        return [_HEAD.decode(line)]
    except ODD:
        return [record.head for record in records_of(line) if record is not None and record.head.custom_id]


def read_line(line: bytes) -> ResultLine:
    """Return the first record of a line; its result is Unreadable if nothing can be read."""
    try:
        return _LINE.decode(line)
    except ODD:
        record = next(records_of(line), None)
        return ResultLine("", Unreadable()) if record is None else _LINE.decode(record.line)


def odd_usage(body: bytes) -> Usage | None:
    """Return the usage in a Messages response that `result_line.usage_of` cannot read; None if it is not a message."""
    [value, *rest] = [*_values(_text_of(body))] or [None]
    if rest or not isinstance(value, dict) or not {"model", "content"} <= value.keys():
        return None
    return msgspec.convert(_usage(value.get("usage")), Usage)


def _text_of(line: bytes) -> str:
    return _ESCAPE.sub(lambda found: "\\ufffd" if found["half"] else found[0], line.decode(errors="replace"))


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON values of a text, and None for each piece that is not JSON."""
    at = _after_space(text, 0)
    while 0 <= at < len(text):
        try:
            value, at = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield None
            at = text.find(_RECORD, at + 1)
        else:
            yield value
            at = _after_space(text, at)


def _after_space(text: str, at: int) -> int:
    space = _BETWEEN.match(text, at)
    return space.end() if space else at


def _record(value: dict[str, Any]) -> Record:
    custom_id = _string(value.get("custom_id"))
    custom_id = custom_id if _CUSTOM_ID.fullmatch(custom_id) else ""
    try:
        line = msgspec.json.encode({**value, "custom_id": custom_id, "result": _result(value.get("result"))})
        _LINE.decode(line)
    except (ValueError, *ODD):  # ValueError: a number that JSON cannot have
        line = unreadable_line(custom_id).rstrip()
    return Record(line, _HEAD.decode(line))


def _result(value: Any) -> Any:
    match value:
        case {"type": "succeeded", "message": {"content": content, **rest}}:
            message = {
                **rest,
                "model": _string(rest.get("model")),
                "content": _blocks(content),
                "stop_reason": _string(rest.get("stop_reason")) or None,
                "usage": _usage(rest.get("usage")),
            }
            return {**value, "message": message}
        case {"type": "errored"}:
            return {**value, "error": {"type": "error", "error": _error(value.get("error"))}}
        case _:
            return value


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    blocks = content if isinstance(content, list) else []
    return [
        {**block, "type": _string(block.get("type")), "text": _string(block.get("text"))}
        for block in blocks
        if isinstance(block, dict)
    ]


def _usage(value: Any) -> dict[str, Any]:
    usage = value if isinstance(value, dict) else {}
    written, used = usage.get("cache_creation"), usage.get("server_tool_use")
    return {
        **usage,
        **{name: _count(usage.get(name)) for name in _COUNTS},
        **{name: _count(usage[name]) for name in _CACHE_COUNTS if name in usage},
        "cache_creation": {name: _count(count) for name, count in written.items()}
        if isinstance(written, dict)
        else None,
        **{name: _string(usage.get(name)) or None for name in ("service_tier", "inference_geo", "speed")},
        "server_tool_use": {name: _count(count) for name, count in used.items()} if isinstance(used, dict) else None,
    }


def _error(value: Any) -> dict[str, Any]:
    """Return the inner error of `{type: error, error: {…}}`, of a flat error, or of none."""
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return {"type": "unknown_error", "message": _words(error)}
    details = error.get("details")
    code = _string(details.get("error_code")) or None if isinstance(details, dict) else None
    return {
        **error,
        "type": _string(error.get("type")) or "unknown_error",
        "message": _words(error.get("message")),
        "details": {"error_code": code},
    }


def _words(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else 0
