"""Estimate the tokens of a request's prompt from its text. Nothing is sent.

The rules are published approximations, and the project's emulator uses the same ones: one token for four Latin
characters or one CJK character, a third more for newer models. Claude's own tokeniser differs;
`batchdrop check --exact` uses it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, NamedTuple

import msgspec

CHARS_PER_TOKEN = 4  # of Latin script, in the older tokeniser; a CJK character is one token
NEW_TOKENISER = 1.3  # models from 4.7 on use up to 30 % more tokens for a text
ROUNDED_UP = 3 / 8  # a text's last token is rarely full; this is the average loss
TURN_TOKENS = 4  # the frame of each message
IMAGE_TOKENS = 1_600  # an image counts width x height / 750; larger images are scaled down to about this
PAGE_TOKENS = 2_000  # a PDF page counts 1,500 to 3,000
WEB_SEARCH = "web_search_"  # the types of the API's web search tool start so
SEARCHES_WITHOUT_BOUND = 20  # ours: a tool without `max_uses` has no bound; a cap refuses it
SEARCH_RESULT_TOKENS = 10_000  # ours: what the results of one search add to the prompt
OLD_TOKENISER_MODELS = (
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-opus-4-6",
)

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PIECE = 1 << 20  # characters of base64 to decode at a time; must be a multiple of four
_OVERLAP = 64  # bytes; finds page marks that span two pieces
_CACHE_MARK = b'"cache_control"'


class RequestSize(NamedTuple):
    """An estimated request. `may_be_cached`: part of its prompt is marked for the prompt cache.

    `searches` is the most web searches that it may run. `geo` is its `inference_geo`, if that has a price of its own.
    """

    model: str
    max_tokens: int
    input_tokens: float
    may_be_cached: bool
    searches: int = 0
    geo: str = ""


class TextSize(NamedTuple):
    """A text's characters, and how many of them are wide (three bytes in UTF-8, such as CJK)."""

    chars: int
    wide: int

    @property
    def tokens(self) -> float:
        """Return the number of tokens in the older tokeniser."""
        return self.wide + (self.chars - self.wide) / CHARS_PER_TOKEN


class _Source(msgspec.Struct):
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b'""')  # raw, so that a file's base64 is never copied
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
    inference_geo: str | None = None


class _Tool(msgspec.Struct):
    type: Any = None
    max_uses: Any = None


_TOOL = msgspec.json.Decoder(_Tool)
_PARAMS = msgspec.json.Decoder(_Params)
_SOURCE = msgspec.json.Decoder(_Source)


def request_size(params: bytes) -> RequestSize:
    """Estimate a request's prompt: texts, schema, tools, images and PDF pages.

    Bytes that are not a request count as a text, with an unknown model.
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
    searches = sum(map(_searches, request.tools))
    geo = "" if request.inference_geo in {None, "not_available"} else str(request.inference_geo)
    return RequestSize(request.model, max(0, request.max_tokens), tokens, cached, searches, geo)


def _searches(tool: msgspec.Raw) -> int:
    """Return the most searches of a web search tool; 0 for other tools."""
    if WEB_SEARCH.encode() not in bytes(tool):
        return 0
    try:
        known = _TOOL.decode(tool)
    except msgspec.DecodeError:
        return 0
    return most_searches(known.type, known.max_uses)


def most_searches(kind: Any, max_uses: Any) -> int:
    """Return the most searches of a tool: `max_uses`, or `SEARCHES_WITHOUT_BOUND`. 0 for other tools."""
    if not isinstance(kind, str) or not kind.startswith(WEB_SEARCH):
        return 0
    return max_uses if type(max_uses) is int and max_uses >= 0 else SEARCHES_WITHOUT_BOUND


def text_size(text: str) -> TextSize:
    """Return a text's size."""
    return TextSize(len(text), 0 if text.isascii() else wide_in(text))


def wide_in(text: str) -> int:
    """Return how many characters are wide: each has two bytes of UTF-8 beyond its first."""
    chars = len(text)
    return min(chars, (len(text.encode()) - chars) // 2)


def tokeniser(model: str) -> float:
    """Return a model's tokens for each token of the older tokeniser."""
    return 1.0 if model.startswith(OLD_TOKENISER_MODELS) else NEW_TOKENISER


def _joined(content: str | list[_Block]) -> str:
    return content if isinstance(content, str) else "\n".join(_words(block) for block in content)


def _words(block: _Block) -> str:
    """Return the text of a text block or a text document."""
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
    """Return the tokens of an image or a PDF. Pages in compressed streams cannot be counted, but one is certain."""
    if block.type == "image":
        return IMAGE_TOKENS
    source = _source(block)
    if block.type != "document" or source.type in {"text", "content"}:
        return 0
    return PAGE_TOKENS * (_pages(source.data) if source.type == "base64" else 1)


def _pages(data: msgspec.Raw) -> int:
    """Return the number of pages of a PDF in base64, at least 1."""
    text = memoryview(data)[1:-1]  # the quotes
    pages, before = 0, b""
    for start in range(0, len(text), _PIECE):
        try:
            piece = before + b64decode(text[start : start + _PIECE])
        except ValueError:  # not base64: the API will refuse it
            break
        pages += len(_PAGE.findall(piece)) - len(_PAGE.findall(before))
        before = piece[-_OVERLAP:]
    return max(1, pages)


def _source(block: _Block) -> _Source:
    try:
        return _SOURCE.decode(block.source)
    except msgspec.DecodeError:
        return _Source()
