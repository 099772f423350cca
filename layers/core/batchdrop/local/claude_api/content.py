"""Content blocks: their types, and what the API refuses in texts, images and documents.

Error messages that users of the API have reported are copied; the others imitate their style. Paths are written in
the API's style: `messages.0.content.1.image.source.base64.data: …`.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import msgspec

from batchdrop.local.claude_api.errors import ApiError, invalid

KINDS = frozenset(
    {
        *("text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result"),
        *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
        *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
        "container_upload",
    }
)  # the SDK's ContentBlockParam
SOURCES = {"image": ("base64", "url", "file"), "document": ("base64", "text", "content", "url", "file")}
MAX_IMAGE_BYTES = 10_485_760  # of base64
MAX_IMAGE_SIDE = 8_000  # pixels
IMAGE_TOKENS = 1_600  # a large image is scaled down to about this
PAGE_TOKENS = 2_000  # 1,500 to 3,000 a page of a PDF

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_ENCRYPTED = re.compile(rb"/Encrypt\s*(\d+\s+\d+\s+R|<<)")


class CacheControl(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cache breakpoint."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The source of an image or a document; `check_block` checks which fields belong together."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: Any = None


class Block(msgspec.Struct, frozen=True):
    """A content block. Text, images and documents are checked; other types (tool results...) are accepted unchecked."""

    type: str
    text: str | None = None
    source: Source | str | None = None
    """The source of an image or a document; search results have text here."""
    title: str | None = None
    cache_control: CacheControl | None = None


class _Problem(NamedTuple):
    """The fault of a block, and its place."""

    where: str
    reason: str


def check_block(block: Block, place: str) -> None:
    """Raise ApiError for a block that the API refuses; `place` is its path (`messages.0.content.1`)."""
    if block.type not in KINDS:
        raise _refused(place, f"Input tag '{block.type}' found using 'type' does not match any of the expected tags")
    if block.type == "text" and not block.text:
        msg = "messages: text content blocks must be non-empty"
        raise invalid(msg)
    if block.type not in SOURCES:
        return
    if not isinstance(block.source, Source):
        raise _refused(f"{place}.{block.type}.source", "Field required")
    if block.source.type not in SOURCES[block.type]:
        tags = ", ".join(f"'{tag}'" for tag in SOURCES[block.type])
        told = f"Input tag '{block.source.type}' found using 'type' does not match any of the expected tags: {tags}"
        raise _refused(f"{place}.{block.type}.source", told)
    if block.title is not None and not block.title:
        raise _refused(f"{place}.{block.type}.title", "String should have at least 1 character")
    problem = next(_problems(block.type, block.source), None)
    if problem is not None:
        kind = "pdf" if (block.type, block.source.media_type) == ("document", "application/pdf") else block.type
        raise _refused(f"{place}.{kind}.source.{block.source.type}{problem.where}", problem.reason)


def words_of(block: Block) -> str:
    """Return the text of a text block or a text document."""
    if block.type == "document" and isinstance(block.source, Source) and block.source.type in {"text", "content"}:
        body = block.source.data if block.source.type == "text" else _content_words(block.source.content)
        return f"{block.title}\n{body}" if block.title else body or ""
    return block.text or ""


def sight_of(block: Block) -> str:
    """Return a hash of an image or a PDF; empty for text."""
    seen = _seen(block)
    return blake2b(seen.encode(), digest_size=16).hexdigest() if seen else ""


def _seen(block: Block) -> str:
    source = block.source
    return (
        source.data or source.url or source.file_id or "" if isinstance(source, Source) and not words_of(block) else ""
    )


def sight_tokens(block: Block) -> int:
    """Return the approximate tokens of images and PDF pages."""
    if not _seen(block):
        return 0
    if block.type == "image":
        return IMAGE_TOKENS
    source = block.source
    data = source.data if isinstance(source, Source) else None
    return PAGE_TOKENS * max(1, len(_PAGE.findall(b64decode(data or ""))))


def _problems(kind: str, source: Source) -> Iterator[_Problem]:
    match source.type:
        case "base64":
            yield from _base64_problems(kind, source)
        case "text":
            yield from _type_problems(source, ("text/plain",))
            yield from _missing(source.data, ".data")
        case "url":
            yield from _missing(source.url, ".url")
            if not re.fullmatch(r"https://[^\s/]+(/\S*)?(\?\S*)?", source.url or ""):
                yield _Problem(".url", "Only HTTPS URLs are supported.")
        case "file":
            yield from _missing(source.file_id, ".file_id")
        case _:
            yield from _missing(_content_words(source.content), ".content")


def _base64_problems(kind: str, source: Source) -> Iterator[_Problem]:
    yield from _type_problems(source, _IMAGE_TYPES if kind == "image" else ("application/pdf",))
    yield from _missing(source.data, ".data")
    data = source.data or ""
    if kind == "image" and len(data) > MAX_IMAGE_BYTES:
        yield _Problem("", f"image exceeds 10 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes")
    try:
        body = b64decode(data, validate=True)
    except ValueError:
        yield _Problem(".data", "Invalid base64 data")
        return
    yield from _image_problems(body, source) if kind == "image" else _pdf_problems(body)


def _image_problems(body: bytes, source: Source) -> Iterator[_Problem]:
    seen = _image_type(body)
    if seen is None:
        yield _Problem(".data", "Could not process image")
    elif seen != source.media_type:
        yield _Problem(".data", f"Image does not match the provided media type {source.media_type}")
    elif max(_sides(body, seen)) > MAX_IMAGE_SIDE:
        told = f"At least one of the image dimensions exceed max allowed size: {MAX_IMAGE_SIDE} pixels"
        yield _Problem(".data", told)


def _pdf_problems(body: bytes) -> Iterator[_Problem]:
    if b"%PDF-" not in body[:1024] or b"%%EOF" not in body[-1024:]:
        yield _Problem(".data", "The PDF specified was not valid.")
    elif _ENCRYPTED.search(body):
        yield _Problem(".data", "The PDF specified is password protected.")


def _image_type(body: bytes) -> str | None:
    if body[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if body[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if body[:6] in {b"GIF87a", b"GIF89a"}:
        return "image/gif"
    return "image/webp" if body[:4] == b"RIFF" and body[8:12] == b"WEBP" else None


def _sides(body: bytes, media_type: str) -> tuple[int, int]:
    """Return width and height of a PNG or GIF."""
    if media_type == "image/png":
        return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")
    if media_type == "image/gif":
        return int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
    return 1, 1


def _type_problems(source: Source, types: tuple[str, ...]) -> Iterator[_Problem]:
    if source.media_type is None:
        yield _Problem(".media_type", "Field required")
    elif source.media_type not in types:
        yield _Problem(".media_type", f"Input should be {' or '.join(repr(one) for one in types)}")


def _missing(value: str | None, where: str) -> Iterator[_Problem]:
    if value is None:
        yield _Problem(where, "Field required")
    elif not value.strip():
        yield _Problem(where, "String should have at least 1 character")


def _content_words(content: Any) -> str | None:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else None


def _refused(place: str, reason: str) -> ApiError:
    return invalid(f"{place}: {reason}")
