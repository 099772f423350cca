"""Responses of the guard: pages without anything of the session in them."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import HTMLResponse, Response

from batchdrop.cli.ui.environment import rendered


def refusal(status: HTTPStatus, message: str) -> Response:
    """Return a page that says why a request was refused, and what to do."""
    return HTMLResponse(rendered("refusal.html.j2", title=status.phrase, message=message), status)


def entered() -> Response:
    """Return the page that leads in.

    It is not a redirect. If a link of another site (a terminal in the browser) opened the address, the browser sends a
    strict cookie only with the request that a page of the console makes.
    """
    return HTMLResponse(rendered("entered.html.j2"))
