"""The guard before all pages: it refuses other hosts, other sites, and browsers without the cookie."""

from __future__ import annotations

from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchdrop.cli.ui.access import Access
from batchdrop.cli.ui.refusals import entered, refusal

ENTRANCE = "/enter"
STATIC = "/static/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every response that does not say otherwise."""
_READING = {"GET", "HEAD"}
_OWN = {"same-origin", "none"}  # Sec-Fetch-Site: from a page of the console, or from the user's own hand


class Guard:
    """Pass a request on if it comes from a page of the console, or from the person who reads the terminal.

    `host` is the only name that the console answers to, such as `127.0.0.1:8080`. A name of an attacker that is made to
    lead to 127.0.0.1 (DNS rebinding) is refused, and so is `localhost`, for which the browser keeps other cookies.
    """

    def __init__(self, app: ASGIApp, access: Access, host: str) -> None:
        self._app = app
        self._access = access
        self._host = host
        # A browser sends a cookie of 127.0.0.1 to all its ports, so each console has a name of its own.
        self._cookie = f"batchdrop-{host.rpartition(':')[2]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request. Anything but HTTP has no route here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = self._judged(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _judged(self, scope: Scope) -> Response | None:
        """Return a response instead of the page's; None for a request that may pass."""
        headers, reads = Headers(scope=scope), scope["method"] in _READING
        if headers.getlist("host") != [self._host]:
            return refusal(HTTPStatus.MISDIRECTED_REQUEST, f"This is not the console's address. It is {self._host}.")
        if scope["path"] == ENTRANCE and scope["method"] == "GET":
            return self._entered(scope, headers)
        if foreign := self._foreign(headers, reads=reads):
            return refusal(HTTPStatus.FORBIDDEN, foreign)
        if (reads and scope["path"].startswith(STATIC)) or self._access.admits(self._cookie_of(headers)):
            return None
        self._access.offer_again()
        return refusal(HTTPStatus.UNAUTHORIZED, "This browser is not let in yet. Open the address in the terminal.")

    def _foreign(self, headers: Headers, *, reads: bool) -> str:
        """Return why a request is another site's; empty if it is not."""
        if headers.get("sec-fetch-site", "same-origin") not in _OWN:
            return "Another site sent you here. Open the address from the terminal."
        if not reads and headers.getlist("origin") != [f"http://{self._host}"]:
            return "Only the console's own pages can change something. Nothing was done."
        return ""

    def _entered(self, scope: Scope, headers: Headers) -> Response:
        [token] = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])[:1] or [""]
        if self._access.admits(self._cookie_of(headers)):
            return entered()
        cookie = self._access.cookie_for(token)
        if cookie is None:
            self._access.offer_again()
            message = "This address was used already, or is incomplete. The terminal shows a new one now."
            return refusal(HTTPStatus.UNAUTHORIZED, message)
        response = entered()
        response.set_cookie(self._cookie, cookie, httponly=True, samesite="strict", path="/")
        return response

    def _cookie_of(self, headers: Headers) -> str | None:
        jar = SimpleCookie()
        try:
            jar.load(headers.get("cookie", ""))
        except CookieError:
            return None
        return jar[self._cookie].value if self._cookie in jar else None


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
