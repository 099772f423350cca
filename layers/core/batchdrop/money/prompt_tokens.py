"""How many tokens a request's prompt has, reckoned from its text: nothing is sent to find out.

The rules are those of the project's emulator, which takes them from what is published: four Latin characters or one
CJK character a token, a third more for newer models. Claude's own tokeniser goes by its own; `batchdrop check --exact`
asks it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, NamedTuple

import msgspec

CHARS_PER_TOKEN = 4  # of Latin script, by the older tokeniser; a CJK character is a token of its own
NEW_TOKENISER = 1.3  # models from 4.7 on make up to 30 % more tokens of a text
ROUNDED_UP = 3 / 8  # a text's last token is rarely full: so much is lost on average
TURN_TOKENS = 4  # what frames each message
IMAGE_TOKENS = 1_600  # an image counts width x height / 750, and is scaled down to about this
PAGE_TOKENS = 2_000  # a page of a PDF counts 1,500 to 3,000
OLD_TOKENISER_MODELS = (
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-opus-4-6",
)

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PIECE = 1 << 20  # characters of base64 that are looked at together: a multiple of four
_OVERLAP = 64  # bytes: a page's mark that two pieces share
_CACHE_MARK = b'"cache_control"'


class RequestSize(NamedTuple):
    """A request as it is reckoned. `may_be_cached`: some of its prompt is marked for the prompt cache."""

    model: str
    max_tokens: int
    input_tokens: float
    may_be_cached: bool


class TextSize(NamedTuple):
    """A text's characters, and how many of them are wide: CJK and what else takes three bytes of UTF-8."""

    chars: int
    wide: int

    @property
    def tokens(self) -> float:
        """Return the tokens that the older tokeniser makes of it."""
        return self.wide + (self.chars - self.wide) / CHARS_PER_TOKEN


class _Source(msgspec.Struct):
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b'""')  # a file's base64 is never copied
    content: Any = None


class _Block(msgspec.Struct):
    type: str = "text"
    text: str | None = None
    title: str | None = None
    source: msgspec.Raw = msgspec.Raw(b"null")


class _Turn(msgspec.Struct):
    content: str | list[_Block] = ""


class _Format(msgspec.Struct):
    schema: msgspec.Raw = msgspec.Raw(b"")


class _OutputConfig(msgspec.Struct):
    format: _Format | None = None


class _Params(msgspec.Struct):
    model: str = ""
    max_tokens: int = 0
    messages: list[_Turn] = []
    system: str | list[_Block] = ""
    tools: list[msgspec.Raw] = []
    output_config: _OutputConfig | None = None


_PARAMS = msgspec.json.Decoder(_Params)
_SOURCE = msgspec.json.Decoder(_Source)


def request_size(params: bytes) -> RequestSize:
    """Read a request and reckon its prompt: texts, schema, tools, images and pages of PDFs, each by its rule.

    What is no request is reckoned as a text, of a model that nobody knows.
    """
    cached = _CACHE_MARK in params
    try:
        request = _PARAMS.decode(params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return RequestSize("", 0, text_size(params.decode("utf-8", "replace")).tokens * NEW_TOKENISER, cached)
    texts = [_joined(request.system), "\n".join(_joined(turn.content) for turn in request.messages)]
    texts += [bytes(tool).decode("utf-8", "replace") for tool in request.tools]
    if request.output_config is not None and request.output_config.format is not None:
        texts.append(bytes(request.output_config.format.schema).decode("utf-8", "replace"))
    read = sum(text_size(text).tokens + ROUNDED_UP for text in texts if text) * tokeniser(request.model)
    seen = sum(_seen(block) for turn in request.messages if isinstance(turn.content, list) for block in turn.content)
    tokens = read + seen + TURN_TOKENS * len(request.messages)
    return RequestSize(request.model, max(0, request.max_tokens), tokens, cached)


def text_size(text: str) -> TextSize:
    """Measure a text."""
    return TextSize(len(text), 0 if text.isascii() else wide_in(text))


def wide_in(text: str) -> int:
    """Return how many characters are wide: the bytes of UTF-8 that each has beyond its first, halved."""
    chars = len(text)
    return min(chars, (len(text.encode()) - chars) // 2)


def tokeniser(model: str) -> float:
    """Return how many tokens a model makes of what is one to the older tokeniser."""
    return 1.0 if model.startswith(OLD_TOKENISER_MODELS) else NEW_TOKENISER


def _joined(content: str | list[_Block]) -> str:
    return content if isinstance(content, str) else "\n".join(_words(block) for block in content)


def _words(block: _Block) -> str:
    """Return what a block says: its text, or a text document's."""
    if block.type != "document":
        return block.text or ""
    source = _source(block)
    if source.type == "text":
        body = msgspec.json.decode(source.data)
    elif isinstance(source.content, list):
        body = "\n".join(str(part.get("text", "")) for part in source.content if isinstance(part, dict))
    else:
        body = source.content
    if not isinstance(body, str):
        return ""
    return f"{block.title}\n{body}" if block.title else body


def _seen(block: _Block) -> int:
    """Return what an image or a PDF counts; pages packed into streams cannot be seen, but one is there."""
    if block.type == "image":
        return IMAGE_TOKENS
    source = _source(block)
    if block.type != "document" or source.type in {"text", "content"}:
        return 0
    return PAGE_TOKENS * (_pages(source.data) if source.type == "base64" else 1)


def _pages(data: msgspec.Raw) -> int:
    """Return the pages of a PDF in base64, read piece by piece; at least 1."""
    text = memoryview(data)[1:-1]  # the quotes
    pages, before = 0, b""
    for start in range(0, len(text), _PIECE):
        try:
            piece = before + b64decode(text[start : start + _PIECE])
        except ValueError:  # no base64 at all: the API will say so
            break
        pages += len(_PAGE.findall(piece)) - len(_PAGE.findall(before))
        before = piece[-_OVERLAP:]
    return max(1, pages)


def _source(block: _Block) -> _Source:
    try:
        return _SOURCE.decode(block.source)
    except msgspec.DecodeError:
        return _Source()
