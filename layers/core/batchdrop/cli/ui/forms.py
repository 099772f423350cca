"""Read posted forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 1_000_000  # a recipe is far smaller

Fields = dict[str, str]


def posted(answer: Callable[[Request, Fields], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for a form: it reads the fields, and calls `answer` in a thread."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, request, await fields_of(request))

    return endpoint


async def fields_of(request: Request) -> Fields:
    """Return a posted form's fields; of a repeated name, the last. Raises HTTPException for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The console reads forms only.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A form has {MOST_BYTES:,} bytes at most.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
