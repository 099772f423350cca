"""Render pages, and the parts of pages that htmx replaces."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from batchdrop.cli.ui.environment import rendered


def page(request: Request, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """Return a whole page: a template that extends `frame.html.j2`, with `pages`, `here` and `session` in it."""
    state, path = request.app.state, request.url.path
    here = next((one for one in state.pages if path == one.path or path.startswith(f"{one.path}/")), None)
    frame = {"pages": state.pages, "here": here, "session": state.session}
    return HTMLResponse(rendered(template, **frame, **values), status)


def part(template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """Return a part of a page."""
    return HTMLResponse(rendered(template, **values), status)


def is_part(request: Request) -> bool:
    """Return whether htmx sent the request, and puts the response into a page."""
    return request.headers.get("hx-request") == "true"
