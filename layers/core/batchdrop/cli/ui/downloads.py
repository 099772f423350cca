"""Downloads: what comes from a bucket or a file is saved, never shown as a page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

POLICY = "default-src 'none'; sandbox"  # also for a browser that shows it anyway


def attachment(name: str, body: bytes | Iterator[bytes], media_type: str = "application/octet-stream") -> Response:
    """Return a body as a file to save under `name`, whatever characters that has."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2], safe='')}",
        "content-security-policy": POLICY,
    }
    if isinstance(body, bytes):
        return Response(body, media_type=media_type, headers=headers)
    return StreamingResponse(body, media_type=media_type, headers=headers)
