"""Read and cancel existing Message Batches: one of them, the list, the results as a raw stream. Nothing is billed.

Importing the official SDK takes 1.4 s of CPU and 60 MB at every cold start, so only `create_batch` uses it. This module
keeps the SDK's contract (the key as bearer, the API's version, the base URL), and the same tests cover both. It never
retries: the state machine decides what follows a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from batchdrop.adapters.claude.errors import (
    API_VERSION,
    BASE_URL,
    OVERLOADED,
    USER_AGENT,
    api_error,
    is_account_trouble,
    is_from_api,
    key_print,
    told,
    workspace_header,
)
from batchdrop.adapters.claude.list_page import Page, as_listed, date_of, refuse_if_cut
from batchdrop.answers.result import MessageBatch
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    MessageBatchLost,
    RateLimited,
    ResultsForeign,
    ResultsIncomplete,
)

PATH = "/v1/messages/batches"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # for an answer, and between two blocks of results
BLOCK = 256 * 1024
PAGE = 100  # Message Batches in a page of the list; at most 1,000

_HAS_ENDED = {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT}  # the answers to a cancel that comes too late
_LATER = {HTTPStatus.TOO_MANY_REQUESTS, OVERLOADED}
_Answer = TypeVar("_Answer")


def told_of(response: httpx2.Response) -> str:
    """Return a refusal in words for people."""
    status = response.status_code
    return told(status, api_error(status, response.content), response.headers.get("request-id"))


class HttpBatchReader:
    """BatchReader on the service at `base_url` (None: Anthropic's own).

    `fresh_key` reads the key again. If the API refuses a key that has been replaced meanwhile, the failure is transient
    (ApiUnavailable): the next attempt builds a new reader with the new key.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        transport: httpx2.BaseTransport | None = None,
        fresh_key: Callable[[], str] | None = None,
        workspace: str = "",
    ) -> None:
        self.workspace = workspace
        self.key_print = key_print(api_key)
        self._api_key = api_key
        self._fresh_key = fresh_key or (lambda: api_key)
        self._served_at: datetime | None = None
        self._http = httpx2.Client(
            base_url=base_url or BASE_URL,
            headers={
                "Authorization": f"Bearer {api_key}",
                "anthropic-version": API_VERSION,
                "User-Agent": USER_AGENT,
                **workspace_header(workspace),
            },
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            event_hooks={"response": [self._note_date]},
            follow_redirects=False,
            transport=transport,
        )

    def _note_date(self, response: httpx2.Response) -> None:
        self._served_at = date_of(response.headers.get("date", ""))

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost, ApiUnavailable, RateLimited, AccountTrouble."""
        return self._read(f"{PATH}/{batch_id}", MessageBatch)

    def newest_first(self) -> Iterator[MessageBatch]:
        """Yield all Message Batches, newest first; the next page is fetched when it is needed. Raises as `retrieve`.

        A list that breaks off before its end raises ApiUnavailable: what it does not show may exist.
        """
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self._read(PATH, Page, query)
            refuse_if_cut(page, is_first="after_id" not in query)
            yield from map(as_listed, page.data)
            if not page.has_more:
                return
            query["after_id"] = page.last_id

    def clock_offset(self, now: datetime) -> timedelta | None:
        """Return the service's clock less ours, by the `Date` of its last answer."""
        return None if self._served_at is None else self._served_at - now

    def cancel(self, batch_id: str) -> None:
        """Cancel a Message Batch; one that has ended stays as it is. Raises as `retrieve`."""
        with _lost_as_unavailable():
            response = self._http.post(f"{PATH}/{batch_id}/cancel")
        if response.status_code not in _HAS_ENDED or not is_from_api(response.status_code, response.content):
            self._check(response)

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the results' bytes. Raises ResultsForeign before the key could leave for another host."""
        url = self._own_url(batch)
        with (
            _lost_as_unavailable(),
            self._http.stream("GET", url, headers={"Accept": "application/binary"}) as response,
        ):
            if not response.is_success:
                response.read()
            self._check(response)
            yield from response.iter_bytes(BLOCK)

    def _read(self, path: str, kind: type[_Answer], query: dict[str, Any] | None = None) -> _Answer:
        with _lost_as_unavailable():
            response = self._http.get(path, params=query)
            self._check(response)
            return msgspec.json.decode(response.content, type=kind)

    def _check(self, response: httpx2.Response) -> None:
        if not response.is_success:
            status = response.status_code
            if status not in _LATER and not is_from_api(status, response.content):
                raise ApiUnavailable(told_of(response))  # a proxy's page, which says nothing about the Message Batch
            lost = status == HTTPStatus.NOT_FOUND
            raise self._known(response) or (MessageBatchLost if lost else ApiUnavailable)(told_of(response))

    def _known(self, response: httpx2.Response) -> BatchdropError | None:
        """Return the error of a refusal that means the same for every call; None for any other refusal.

        A 401 has no effect, so a retry with a newer key is safe.
        """
        status = response.status_code
        if is_account_trouble(status, api_error(status, response.content)):
            if status == HTTPStatus.UNAUTHORIZED and self._fresh_key() != self._api_key:
                return ApiUnavailable("the API key was replaced since it was read; the next attempt has the new one")
            return AccountTrouble(told_of(response))
        if status in _LATER:
            return RateLimited(told_of(response))
        return None

    def _own_url(self, batch: MessageBatch) -> str:
        url = batch.results_url
        if not url:
            message = f"{batch.id}: {batch.processing_status}, but without results_url; its results may be archived"
            raise ResultsIncomplete(message)
        theirs, ours = _origin(url), _origin(str(self._http.base_url))
        if theirs != ours:
            message = f"{batch.id}: results_url points to {theirs}, not to the API's own host {ours}"
            raise ResultsForeign(message)
        return url


def _origin(url: str) -> str:
    """Return scheme, host and port; for a text that is not a URL, a text that equals no origin."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url[:80]!r}, which is not a URL"
    return f"{parts.scheme}://{parts.netloc}"


@contextmanager
def _lost_as_unavailable() -> Iterator[None]:
    """Raise ApiUnavailable for an answer that is missing or unreadable: a read changes nothing, so a retry is safe."""
    try:
        yield
    except (httpx2.HTTPError, msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{type(error).__name__}: {error}"
        raise ApiUnavailable(message) from error
