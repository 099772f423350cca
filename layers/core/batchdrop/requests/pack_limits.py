"""How long a pack's answer may be, and the text of a row that goes into a pack. No template is compiled here."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

AROUND = 16  # tokens of an answer beside its rows
A_ROW = 8  # tokens of a row's number in the answer, with its marks


def max_tokens_of(own: int, rows: int) -> int:
    """Return the limit of a pack's answer: the rows' own limits, their numbers, and the frame."""
    return rows * own + AROUND + A_ROW * rows


def most_rows(own: int, limit: int) -> int:
    """Return how many rows a pack may have, so that its answer keeps to the limit."""
    return (limit - AROUND) // (own + A_ROW)


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Turn(msgspec.Struct):
    content: str | list[_Block] = ""


class _Params(msgspec.Struct):
    messages: list[_Turn] = []


class PackText(NamedTuple):
    """A row's own text, and the text that it shares with its group; empty without groups."""

    own: str
    shared: str = ""


_PARAMS = msgspec.json.Decoder(_Params)


def pack_text(params: bytes | msgspec.Raw) -> PackText | None:
    """Return the texts of a row's request; None if it cannot be part of a pack, so that the row goes alone."""
    try:
        messages = _PARAMS.decode(params).messages
    except msgspec.ValidationError:
        return None
    content = messages[-1].content if messages else None
    if isinstance(content, str):
        return PackText(content)
    if content is None or [block.type for block in content] != ["text", "text"]:
        return None
    return PackText(content[1].text, content[0].text)
