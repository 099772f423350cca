"""How long a pack's answer may be, and the text of a row that goes into a pack. No template is compiled here."""

from __future__ import annotations

from typing import Any

import msgspec

AROUND = 16  # tokens of an answer beside its rows
A_ROW = 8  # tokens of a row's number in the answer, with its marks


def max_tokens_of(own: int, rows: int) -> int:
    """Return the limit of a pack's answer: the rows' own limits, their numbers, and the frame."""
    return rows * own + AROUND + A_ROW * rows


def most_rows(own: int, limit: int) -> int:
    """Return how many rows a pack may have, so that its answer keeps to the limit."""
    return (limit - AROUND) // (own + A_ROW)


class _Turn(msgspec.Struct):
    content: Any = None


class _Params(msgspec.Struct):
    messages: list[_Turn] = []


_PARAMS = msgspec.json.Decoder(_Params)


def own_text(params: bytes | msgspec.Raw) -> str | None:
    """Return the row's own text in its request; None if it is not one text, so that the row goes alone."""
    messages = _PARAMS.decode(params).messages
    content = messages[-1].content if messages else None
    return content if isinstance(content, str) else None
