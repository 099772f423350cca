"""The Messages API over aiohttp: one warm pool of connections, raw JSON in and out.

The official SDK takes eleven times the CPU for a request. This adapter keeps the SDK's contract: the key as bearer, the
API's version, the base URL, no redirects. A contract test holds both to the same outcomes. Every POST is sent once:
aiohttp repeats idempotent methods only, and this module never retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus

import aiohttp
from yarl import URL

from batchdrop.adapters.claude.errors import (
    API_VERSION,
    BASE_URL,
    OVERLOADED,
    REFUSED,
    USER_AGENT,
    api_error,
    beta_header,
    is_account_trouble,
    is_from_api,
    told,
    workspace_header,
)
from batchdrop.adapters.claude.json_body import UNCOMPRESSED
from batchdrop.errors import AccountTrouble
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled, limits_of

PATH = "/v1/messages"
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 15.0  # a connection that was idle for longer is not reused: the API may be about to close it


class AiohttpMessageApi:
    """MessageApi on the service at `base_url` (None: Anthropic's own), with at most `connections` open at once.

    `fresh_key` reads the key again when the API refuses the present one; a new key is used from then on. The pool
    belongs to the event loop that uses it first; another loop gets a pool of its own. `connections` 0 means no limit.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        connections: int = 0,
        fresh_key: Callable[[], str] | None = None,
        workspace: str = "",
    ) -> None:
        self._api_key = api_key
        self._fresh_key = fresh_key or (lambda: api_key)
        self._url = URL(f"{(base_url or BASE_URL).rstrip('/')}{PATH}")
        self._headers = {
            "anthropic-version": API_VERSION,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            **UNCOMPRESSED,
            **workspace_header(workspace),
        }
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, params: bytes, *, within: float, betas: tuple[str, ...] = ()) -> Reply:
        """Send one request once. Raises AccountTrouble for the key, billing, permission and the spend limit."""
        limits = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT_SECONDS)
        key = self._api_key
        own = {"Authorization": f"Bearer {key}", **beta_header(betas)}
        try:
            async with self._pool().post(
                self._url, data=params, timeout=limits, headers=own, allow_redirects=False
            ) as response:
                body = await response.read()
        except aiohttp.ClientConnectorError as error:  # no byte was sent
            return Passing("api_error", f"cannot connect to the API: {error}")
        except TimeoutError:
            return Passing("timeout_error", f"no whole answer within {within:.0f} s", is_uncertain=True)
        except (aiohttp.ClientError, OSError) as error:
            return Passing("api_error", f"the answer was lost: {type(error).__name__}: {error}", is_uncertain=True)
        if response.status == HTTPStatus.OK:
            return Answer(body, response.headers)
        if response.status == HTTPStatus.UNAUTHORIZED and await self._has_newer_key(key):
            return Passing("api_error", "the API key was replaced since it was read; the next try has the new one")
        return _refusal(response.status, response.headers, body)

    async def _has_newer_key(self, refused: str) -> bool:
        """Tell whether the key has been replaced since this request was sent."""
        if self._api_key == refused:
            self._api_key = await asyncio.to_thread(self._fresh_key)
        return self._api_key != refused

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _pool(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=IDLE_SECONDS),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return what a response without success means. A proxy's page may stand in place of an answer that is billed."""
    error, is_page = api_error(status, body), not is_from_api(status, body)
    if not is_page and is_account_trouble(status, error):
        raise AccountTrouble(told(status, error, headers.get("request-id")))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(error.type, error.message, _seconds(headers), limits=limits_of(headers))
    if status == OVERLOADED:
        return Throttled(error.type, error.message, _seconds(headers), is_global=True)
    if not is_page and status in REFUSED:
        return Refused(error.type, error.message)
    kind = "api_error" if is_page else error.type
    return Passing(kind, f"HTTP {status}: {error.message}", is_uncertain=is_page, is_server_error=not is_page)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `retry-after`, as the SDK reads it; None if it is missing or a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None
