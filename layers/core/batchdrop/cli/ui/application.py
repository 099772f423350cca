"""The console as an ASGI application."""

from __future__ import annotations

import os
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from batchdrop.cli.console import CommandError, known_error
from batchdrop.cli.ui.access import Access
from batchdrop.cli.ui.guard import Guard
from batchdrop.cli.ui.page import Page
from batchdrop.cli.ui.rendering import is_part, page, part
from batchdrop.cli.ui.session import Session
from batchdrop.errors import BatchdropError
from batchdrop.local.stack import StackError

STATIC = Path(__file__).parent / "static"
# Of a command's errors; whatever else is raised is a fault of ours, and the terminal shows its traceback, too.
_KNOWN = (CommandError, BatchdropError, StackError, OSError, ClientError, BotoCoreError, Exception)


def application(session: Session, pages: Sequence[Page], access: Access, host: str) -> ASGIApp:
    """Return the console with these pages, behind its guard. `host` is its address without `http://`."""
    routes = [
        Route("/", _first),
        Route("/about", _about),
        Mount("/static", GZipMiddleware(_Static(directory=STATIC))),
        *(route for one in pages for route in one.routes(session)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused} | dict.fromkeys(_KNOWN, _failed))
    app.state.session, app.state.pages = session, tuple(pages)
    return Guard(app, access, host)


class _Static(StaticFiles):
    """Files that the browser keeps, and asks for again only if they have changed."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        return response


def _first(request: Request) -> Response:
    pages = request.app.state.pages
    return RedirectResponse(pages[0].path if pages else "/about", HTTPStatus.SEE_OTHER)


def _about(request: Request) -> Response:
    return page(request, "about.html.j2")


def _refused(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = error.detail if isinstance(error, HTTPException) else ""
    if code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "There is no such page. The console's pages are in its header."
    return _told(request, HTTPStatus(code), detail)


def _failed(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, CommandError) else known_error(error)
    if known is None:
        return _told(
            request, HTTPStatus.INTERNAL_SERVER_ERROR, f"This is a fault of ours: {type(error).__name__}: {error}"
        )
    return _told(request, HTTPStatus.CONFLICT, str(known))


def _told(request: Request, status: HTTPStatus, message: str) -> Response:
    faults = [" ".join(line.split()) for line in message.split("\n  ")]
    if is_part(request):
        return part("trouble.html.j2", status, faults=faults)
    return page(request, "error.html.j2", status, title=status.phrase, faults=faults)
