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

from batchdrop.adapters.claude.aws_refusal import refused_by_aws
from batchdrop.adapters.claude.errors import (
    API_VERSION,
    BASE_URL,
    OVERLOADED,
    REFUSED,
    STATUS_OF_KIND,
    USER_AGENT,
    api_error,
    bearer,
    beta_header,
    error_body,
    is_account_trouble,
    is_from_api,
    told,
    workspace_header,
)
from batchdrop.adapters.claude.json_body import UNCOMPRESSED
from batchdrop.adapters.claude.network import kept_alive, proxy_of, trusted
from batchdrop.adapters.claude.received import Received, received_from
from batchdrop.adapters.claude.signing import RequestSigner, digest_of
from batchdrop.errors import AccountTrouble
from batchdrop.live_lane.reply import Answer, Passing, Refused, Reply, Throttled, limits_of

PATH = "/v1/messages"
_SUCCESS = range(200, 300)  # a gateway may change 200; the answer is paid all the same
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 15.0  # a connection that was idle for longer is not reused: the API may be about to close it


class AiohttpMessageApi:
    """MessageApi on the service at `base_url` (None: Anthropic's own), with at most `connections` open at once.

    `fresh_key` reads the key again when the API refuses the present one; a new key is used from then on. The pool
    belongs to the event loop that uses it first; another loop gets a pool of its own. `connections` 0 means no limit.
    With a `signer`, requests are signed for Claude Platform on AWS, and no key is sent.
    """

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str | None,
        connections: int = 0,
        fresh_key: Callable[[], str] | None = None,
        workspace: str = "",
        signer: RequestSigner | None = None,
    ) -> None:
        self._signer = signer
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

    async def send(
        self, params: bytes, *, within: float, is_streamed: bool = False, betas: tuple[str, ...] = ()
    ) -> Reply:
        """Send one request once. Raises AccountTrouble for the key, billing, permission and the spend limit."""
        limits = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT_SECONDS)
        key = self._api_key
        body = b'{"stream":true,%b' % params.lstrip()[1:] if is_streamed else params
        own = {**await self._auth(body), **beta_header(betas)}
        try:
            async with self._pool().post(
                self._url, data=body, timeout=limits, headers=own, allow_redirects=False
            ) as response:
                received = await received_from(response)
        except aiohttp.ClientConnectorError as error:  # no byte was sent
            return Passing("api_error", f"cannot connect to the API: {error}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return _lost(error, within)
        if received.status in _SUCCESS:
            return _answer(received, within)
        if self._signer is None and received.status == HTTPStatus.UNAUTHORIZED and await self._has_newer_key(key):
            return Passing("api_error", "the API key was replaced since it was read; the next try has the new one")
        if refusal := refused_by_aws(
            received.status, received.headers, received.body, own["Authorization"], self._signer
        ):
            if isinstance(refusal, AccountTrouble):
                raise refusal
            return Passing("api_error", str(refusal))
        return _refusal(received.status, received.headers, received.body)

    async def _auth(self, body: bytes) -> dict[str, str]:
        """Return the headers that say who sends the body."""
        signer = self._signer
        if signer is None:
            return bearer(self._api_key, None)
        if signer.must_renew():
            await asyncio.to_thread(signer.access_key)
        return signer.headers("POST", str(self._url), digest_of([body]))

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
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    keepalive_timeout=IDLE_SECONDS,
                    socket_factory=kept_alive,
                    ssl=trusted(),
                ),
                proxy=proxy_of(str(self._url)),  # `trust_env` would also read ~/.netrc
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a body that cannot be decompressed would be lost, and it is paid
            )
        return self._session


def _answer(received: Received, within: float) -> Reply:
    """Return what a success means. A stream has its status before its answer, so its events say what became of it."""
    stream, broken = received.stream, received.broken
    if stream is None:
        has_come = received.body or broken is None
        return Answer(received.body, received.headers) if has_come else _lost(broken, within)
    message = stream.end() if stream.is_stream else stream.raw
    if message is not None:
        return Answer(message, received.headers)
    if stream.error is None:
        return _lost(broken or aiohttp.ClientPayloadError("the stream ended before its answer did"), within)
    if stream.has_begun:
        kind, words = stream.error.type, f"the stream broke off: {stream.error.message}"
        return Passing(kind, words, is_server_error=True)
    status = STATUS_OF_KIND.get(stream.error.type, HTTPStatus.INTERNAL_SERVER_ERROR)
    return _refusal(status, received.headers, error_body(stream.error))


def _lost(error: Exception | None, within: float) -> Passing:
    """Return the reply for a request that was sent, and whose answer did not come."""
    if isinstance(error, TimeoutError):
        return Passing("timeout_error", f"no whole answer within {within:.0f} s", is_uncertain=True)
    return Passing("api_error", f"the answer was lost: {type(error).__name__}: {error}", is_uncertain=True)


def _refusal(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return what a response without success means. A proxy's page may stand in place of an answer that is billed."""
    error, is_page = api_error(status, body), not is_from_api(status, body)
    if not is_page and is_account_trouble(status, error):
        raise AccountTrouble(told(status, error, headers.get("request-id")))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(error.type, error.message, _seconds(headers), limits=limits_of(headers))
    if status == OVERLOADED:
        return Throttled(error.type, error.message, _seconds(headers), is_global=True)
    if status == HTTPStatus.BAD_GATEWAY:
        message = f"HTTP {status}: {error.message}"
        return Throttled(error.type, message, _seconds(headers), is_global=True, is_server_error=True)
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
