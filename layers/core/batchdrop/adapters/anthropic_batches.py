"""The Message Batches API through the official SDK: its headers, auth and errors; bodies and results as raw streams.

Every call runs with `max_retries=0`: a create must never be sent twice, and the SDK would obey a `retry-after` longer
than the function has. What to do about a failure is the state machine's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2
import msgspec

from batchdrop.domain.result import MessageBatch
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    MessageBatchLost,
    RateLimited,
    ResultsForeign,
    ResultsIncomplete,
    SubmissionRefused,
    SubmissionUncertain,
)
from batchdrop.ports import RequestBody

PATH = "/v1/messages/batches"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # for retrieve and between two blocks of results
BLOCK = 256 * 1024
PAGE = 100  # Message Batches a page of the list; at most 1,000
SPEND_LIMIT = "enforced_spend_limit_reached"

_ACCOUNT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
_REFUSED = {400, 404, 413, 422}  # the request itself was refused: nothing was created (408 and 409 do not say so)
_OVERLOADED = 529
# Nobody knows what the answer was: it did not come, or it cannot be read.
_LOST = (anthropic.APIConnectionError, httpx2.HTTPError, msgspec.DecodeError, UnicodeDecodeError)


class _Page(msgspec.Struct, frozen=True):
    data: list[MessageBatch]
    has_more: bool
    last_id: str | None = None


class AnthropicBatchApi:
    """BatchApi on the service at `base_url` (None: the SDK's default).

    `fresh_key` reads the key anew. A key that the API no longer takes, and that was replaced meanwhile, is a passing
    failure (ApiUnavailable): whoever tries again builds this anew, with the new key.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        transport: httpx2.BaseTransport | None = None,
        fresh_key: Callable[[], str] | None = None,
    ) -> None:
        self._api_key = api_key
        self._fresh_key = fresh_key or (lambda: api_key)
        options: dict[str, Any] = {} if transport is None else {"transport": transport}
        http_client = anthropic.DefaultHttpxClient(follow_redirects=False, **options)
        self._client = anthropic.Anthropic(api_key=api_key, base_url=base_url, max_retries=0, http_client=http_client)

    def create(self, body: RequestBody, *, timeout: float) -> MessageBatch:
        """Send one create with a Content-Length, once.

        Raises SubmissionRefused, AccountTrouble, RateLimited or ApiUnavailable when nothing was created;
        SubmissionUncertain for all else: a 5xx or a lost answer may hide a Message Batch that will be billed.
        """
        options: Any = {
            "timeout": httpx2.Timeout(timeout, connect=CONNECT_SECONDS),
            "headers": {"Content-Type": "application/json", "Content-Length": str(body.size)},
        }
        with self._rotation(), _create_errors():
            answer = self._client.post(PATH, content=body, cast_to=httpx2.Response, options=options)
            return msgspec.json.decode(answer.content, type=MessageBatch)

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost, ApiUnavailable, RateLimited, AccountTrouble."""
        with self._rotation(), _read_errors():
            answer = self._client.get(f"{PATH}/{batch_id}", cast_to=httpx2.Response, options={"timeout": _timeout()})
            return msgspec.json.decode(answer.content, type=MessageBatch)

    def created_since(self, since: datetime) -> Iterator[MessageBatch]:
        """Yield the Message Batches created at or after `since`, newest first. Raises as `retrieve`."""
        query: dict[str, str | int] = {"limit": PAGE}
        while True:
            page = self._page(query)
            for batch in page.data:
                if datetime.fromisoformat(batch.created_at) < since:
                    return
                yield batch
            if not page.has_more or page.last_id is None:
                return
            query["after_id"] = page.last_id

    def cancel(self, batch_id: str) -> None:
        """Ask for a Message Batch to be canceled; one that ended already stays as it is. Raises as `retrieve`."""
        with self._rotation(), _read_errors():
            try:
                self._client.post(f"{PATH}/{batch_id}/cancel", cast_to=httpx2.Response, options={"timeout": _timeout()})
            except (anthropic.BadRequestError, anthropic.ConflictError):
                return  # it has ended

    def _page(self, query: dict[str, str | int]) -> _Page:
        with self._rotation(), _read_errors():
            options: Any = {"timeout": _timeout(), "params": query}
            answer = self._client.get(PATH, cast_to=httpx2.Response, options=options)
            return msgspec.json.decode(answer.content, type=_Page)

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the results' bytes. Raises ResultsForeign before the key could leave for another host."""
        url = self._own_url(batch)
        options: Any = {"timeout": _timeout(), "headers": {"Accept": "application/binary"}}
        with self._rotation(), _read_errors():
            raw = self._client.get(
                url, cast_to=object, options=options, stream=True, stream_cls=anthropic.Stream[object]
            )
            with raw:
                yield from raw.response.iter_bytes(BLOCK)

    @contextmanager
    def _rotation(self) -> Iterator[None]:
        """Tell a key that was replaced from one that is wrong. A 401 did nothing, so trying again is safe."""
        try:
            yield
        except AccountTrouble as trouble:
            if isinstance(trouble.__cause__, anthropic.AuthenticationError) and self._fresh_key() != self._api_key:
                message = "the API key was replaced since it was read; the next attempt has the new one"
                raise ApiUnavailable(message) from trouble
            raise

    def _own_url(self, batch: MessageBatch) -> str:
        url = batch.results_url
        if not url:
            message = f"{batch.id}: {batch.processing_status}, but without results_url; its results may be archived"
            raise ResultsIncomplete(message)
        theirs, ours = _origin(url), _origin(str(self._client.base_url))
        if theirs != ours:
            message = f"{batch.id}: results_url points to {theirs}, not to the API's own host {ours}"
            raise ResultsForeign(message)
        return url


def _origin(url: str) -> str:
    """Return scheme, host and port; for what is no URL, something that is nobody's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url[:80]!r}, which is no URL"
    return f"{parts.scheme}://{parts.netloc}"


def _timeout() -> httpx2.Timeout:
    return httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)


@contextmanager
def _create_errors() -> Iterator[None]:
    """Sort a create's failures by the one question that counts: was something created?"""
    try:
        yield
    except anthropic.APIStatusError as error:
        _raise_if_known(error)
        if error.status_code in _REFUSED:
            raise SubmissionRefused(_explain(error)) from error
        raise SubmissionUncertain(_explain(error)) from error
    except _LOST as error:
        if isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout)):
            message = f"cannot connect to the API: {error.__cause__}"
            raise ApiUnavailable(message) from error  # no byte was sent, so nothing was created
        message = f"the create was sent and its answer was lost: {type(error).__name__}: {error}"
        raise SubmissionUncertain(message) from error


@contextmanager
def _read_errors() -> Iterator[None]:
    try:
        yield
    except anthropic.APIStatusError as error:
        _raise_if_known(error)
        if error.status_code == HTTPStatus.NOT_FOUND:
            raise MessageBatchLost(_explain(error)) from error
        if error.status_code == _OVERLOADED:
            raise RateLimited(_explain(error)) from error
        raise ApiUnavailable(_explain(error)) from error
    except _LOST as error:
        message = f"{type(error).__name__}: {error}"
        raise ApiUnavailable(message) from error


def _raise_if_known(error: anthropic.APIStatusError) -> None:
    """Raise what means the same for every call."""
    if error.status_code in _ACCOUNT or SPEND_LIMIT in _error_code(error.body):
        raise AccountTrouble(_explain(error)) from error
    if error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise RateLimited(_explain(error)) from error


def _error_code(body: Any) -> str:
    """Return `error.details.error_code` of an error body; empty where the body has another shape."""
    for name in ("error", "details", "error_code"):
        body = body.get(name) if isinstance(body, dict) else None
    return str(body or "")


def _explain(error: anthropic.APIStatusError) -> str:
    return f"HTTP {error.status_code}: {error.message} (request-id {error.request_id})"
