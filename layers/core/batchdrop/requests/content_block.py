"""Build content blocks of a Messages request from files. The first bytes decide the type, never the name."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from batchdrop.errors import RowRejected
from batchdrop.limits import MAX_DOCUMENT_BYTES
from batchdrop.requests.image_size import image_size

MAX_IMAGE_BYTES = 10_485_760 // 4 * 3  # Messages: "image exceeds 10 MB maximum: … bytes > 10485760 bytes", in base64
MAX_IMAGE_SIDE = 8_000  # Messages: "image dimensions exceed max allowed size: 8000 pixels"
MAX_TITLE_CHARS = 500  # ours: enough to name a file; the SDK gives no limit for a document's title

Kind = Literal["document", "image"]

PDF = "application/pdf"
TEXT = "text/plain"
READABLE = "PDF, PNG, JPEG, GIF, WebP or text in UTF-8"

_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BLANKS_BEFORE_PDF = b"\xef\xbb\xbf\0\t\n\f\r "  # a byte order mark and white space; PDF readers skip them
_ZIP = b"PK\x03\x04"
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # never in text; \x1b is allowed: it colours logs
_ENCRYPTED = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R|<<)")
_PLACE_OF_TRAILER = re.compile(rb"startxref\s+(\d+)\s")


class Content(NamedTuple):
    """A file that can be sent: its media type, and the block that carries it."""

    media_type: str
    block: dict[str, Any]


def content_block(body: bytes, *, name: str, kind: Kind | None) -> dict[str, Any]:
    """Return a file's `document` or `image` block for the Messages API; `kind` None accepts both.

    `name` becomes the title of a text. Raises RowRejected for a file that the API would refuse: empty, too large,
    encrypted, or of another kind or type.
    """
    return content_of(body, name=name, kind=kind).block


def content_of(body: bytes, *, name: str, kind: Kind | None = None) -> Content:
    """Return a file's media type and its block. Raises like `content_block`."""
    check_size(len(body), kind)
    media_type = _media_type(body)
    found: Kind = "image" if media_type.startswith("image/") else "document"
    if kind is not None and found != kind:
        reason = f"it is {_called(media_type)}, but the recipe attaches it `as: {kind}`; write `as: {found}`"
        raise RowRejected(reason)
    check_size(len(body), found)
    if media_type == TEXT:
        return Content(TEXT, _text_block(body, name))
    if media_type == PDF:
        _refuse_encrypted(body)
    else:
        _refuse_wide(body, media_type)
    source = {"type": "base64", "media_type": media_type, "data": b64encode(body).decode("ascii")}
    return Content(media_type, {"type": found, "source": source})


def url_block(url: str, kind: Kind) -> dict[str, Any]:
    """Return the block of a file that the API fetches itself. Raises RowRejected for anything but an https:// URL."""
    if not is_https(url):
        reason = "the API fetches only https:// URLs with a host and no spaces; put the file under files/ instead"
        raise RowRejected(reason)
    return {"type": kind, "source": {"type": "url", "url": url}}


def is_https(url: str) -> bool:
    """Return whether a text is an https:// URL with a host, and without spaces or control characters."""
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def check_size(size: int, kind: Kind | None) -> None:
    """Raise RowRejected for a file that is empty, or larger than blocks of that kind (None: of any kind) may be."""
    if not size:
        reason = "the file is empty"
        raise RowRejected(reason)
    most = MAX_IMAGE_BYTES if kind == "image" else MAX_DOCUMENT_BYTES
    if size > most:
        fix = "make the image smaller" if kind == "image" else "split or shrink it"
        what = "an image" if kind == "image" else "a file"
        reason = f"the file has {size:,} bytes; {what} may have at most {most:,} (base64 adds a third); {fix}"
        raise RowRejected(reason)


def _media_type(body: bytes) -> str:
    for mark, media_type in _MARKS:
        if body.startswith(mark):
            return media_type
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body[:1024].lstrip(_BLANKS_BEFORE_PDF).startswith(b"%PDF-"):
        return PDF
    if _text_of(body) is not None:
        return TEXT
    if body.startswith(_ZIP):
        reason = "it is a ZIP archive or an Office document, which cannot be sent; save documents as PDF"
    else:
        reason = f"its first bytes match no supported type; save it as {READABLE}"
    raise RowRejected(reason)


def _called(media_type: str) -> str:
    return "text" if media_type == TEXT else f"a {media_type.partition('/')[2].upper()} file"


def _text_of(body: bytes) -> str | None:
    """Return the text of UTF-8 bytes; None for anything else."""
    if b"\0" in body[:1024]:
        return None
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if _BINARY.search(text) else text


def _text_block(body: bytes, name: str) -> dict[str, Any]:
    text = _text_of(body)
    if text is None or not text.strip():
        reason = "the file is blank; the API refuses empty documents"
        raise RowRejected(reason)
    source = {"type": "text", "media_type": TEXT, "data": text}
    title = name.strip()[:MAX_TITLE_CHARS]
    return {"type": "document", "source": source, **({"title": title} if title else {})}


def _refuse_encrypted(body: bytes) -> None:
    """Raise RowRejected if the trailer that readers start from, or the last trailer, names an encryption."""
    places = _PLACE_OF_TRAILER.findall(body, max(0, len(body) - 1024))
    starts = [int(places[-1])] if places else []
    if any(_ENCRYPTED.search(_trailer(body, start)) for start in (*starts, body.rfind(b"trailer"))):
        reason = "the PDF is encrypted, and the API refuses it; save it without a password and restrictions"
        raise RowRejected(reason)


def _trailer(body: bytes, start: int) -> bytes:
    """Return the dictionary of a cross-reference section: the text after its table, or before its stream."""
    if start < 0:
        return b""
    ends = [end for end in (body.find(b"stream", start), body.find(b"startxref", start)) if end >= 0]
    return body[start : min(ends, default=len(body))]


def _refuse_wide(body: bytes, media_type: str) -> None:
    width, height = image_size(body, media_type)
    if max(width, height) > MAX_IMAGE_SIDE:
        reason = f"the image is {width} x {height} pixels; the API takes {MAX_IMAGE_SIDE} per side; scale it down"
        raise RowRejected(reason)
