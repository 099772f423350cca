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
from urllib.parse import quote

import httpx2
import msgspec

from batchdrop.adapters.claude.aws_refusal import refused_by_aws
from batchdrop.adapters.claude.batch_object import batch_of
from batchdrop.adapters.claude.errors import (
    API_VERSION,
    BASE_URL,
    OVERLOADED,
    USER_AGENT,
    api_error,
    bearer,
    is_account_trouble,
    is_from_api,
    key_print,
    told,
    workspace_header,
)
from batchdrop.adapters.claude.json_body import UNCOMPRESSED, json_of
from batchdrop.adapters.claude.list_page import Page, as_listed, date_of, refuse_if_cut
from batchdrop.adapters.claude.network import KEEP_ALIVE, proxy_of
from batchdrop.adapters.claude.signing import RequestSigner, SignedRequests
from batchdrop.answers.odd_records import ODD
from batchdrop.answers.result import MessageBatch
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    BatchdropError,
    MessageBatchLost,
    RateLimited,
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
_PAGE = msgspec.json.Decoder(Page)


def told_of(response: httpx2.Response) -> str:
    """Return a refusal in words for people."""
    status = response.status_code
    return told(status, api_error(status, response.content), response.headers.get("request-id"))


class HttpBatchReader:
    """BatchReader on the service at `base_url` (None: Anthropic's own).

    With a `signer`, calls are signed for Claude Platform on AWS, and no key is sent.

    `fresh_key` reads the key again. If the API refuses a key that has been replaced meanwhile, the failure is transient
    (ApiUnavailable): the next attempt builds a new reader with the new key.
    """

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str | None,
        transport: httpx2.BaseTransport | None = None,
        fresh_key: Callable[[], str] | None = None,
        workspace: str = "",
        signer: RequestSigner | None = None,
    ) -> None:
        self.workspace = workspace if signer is None else signer.workspace
        self.key_print = key_print(api_key) if signer is None else signer.key_print
        self._signer = signer
        self._api_key = api_key
        self._fresh_key = fresh_key or (lambda: api_key)
        self._served_at: datetime | None = None
        self._http = httpx2.Client(
            base_url=base_url or BASE_URL,
            headers={
                **bearer(api_key, signer),
                "anthropic-version": API_VERSION,
                "User-Agent": USER_AGENT,
                **UNCOMPRESSED,
                **workspace_header(workspace),
            },
            auth=None if signer is None else SignedRequests(signer),
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            event_hooks={"response": [self._note_date]},
            follow_redirects=False,
            transport=transport or _network(base_url or BASE_URL),
        )

    def _note_date(self, response: httpx2.Response) -> None:
        self._served_at = date_of(response.headers.get("date", ""))

    def retrieve(self, batch_id: str) -> MessageBatch:
        """Return a Message Batch. Raises MessageBatchLost, ApiUnavailable, RateLimited, AccountTrouble."""
        return self._read(_path(batch_id), batch_of)

    def newest_first(self) -> Iterator[MessageBatch]:
        """Yield all Message Batches, newest first; the next page is fetched when it is needed. Raises as `retrieve`.

        A list that breaks off before its end raises ApiUnavailable: what it does not show may exist.
        """
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self._read(PATH, _PAGE.decode, query)
            refuse_if_cut(page, after_id=query.get("after_id"))
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
            response = self._http.post(f"{_path(batch_id)}/cancel")
        if response.status_code not in _HAS_ENDED or not is_from_api(response.status_code, response.content):
            self._check(response)

    def results(self, batch: MessageBatch) -> Generator[bytes, None, None]:
        """Yield the results' bytes, from the API's own host only, whatever `results_url` says."""
        url = self._results_url(batch)
        with (
            _lost_as_unavailable(),
            self._http.stream("GET", url, headers={"Accept": "application/binary"}) as response,
        ):
            if not response.is_success:
                response.read()
            self._check(response)
            yield from response.iter_bytes(BLOCK)

    def _read(self, path: str, decode: Callable[[bytes], _Answer], query: dict[str, Any] | None = None) -> _Answer:
        with _lost_as_unavailable():
            response = self._http.get(path, params=query)
            self._check(response)
            return decode(json_of(response.content))

    def _check(self, response: httpx2.Response) -> None:
        if not response.is_success:
            status = response.status_code
            if refusal := self._refused_by_aws(response):
                raise refusal
            if status not in _LATER and not is_from_api(status, response.content):
                raise ApiUnavailable(told_of(response))  # a proxy's page, which says nothing about the Message Batch
            lost = status == HTTPStatus.NOT_FOUND
            raise self._known(response) or (MessageBatchLost if lost else ApiUnavailable)(told_of(response))

    def _refused_by_aws(self, response: httpx2.Response) -> BatchdropError | None:
        signed = response.request.headers.get("authorization", "")
        return refused_by_aws(response.status_code, response.headers, response.content, signed, self._signer)

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

    def _results_url(self, batch: MessageBatch) -> str:
        """Return `results_url` if it is below the base URL, else where the API documents the results, below it.

        A gateway passes on the service's own `results_url`, which names another host. The key never goes there.
        """
        url = batch.results_url
        if not url:
            message = f"{batch.id}: {batch.processing_status}, but without results_url; its results may be archived"
            raise ResultsIncomplete(message)
        return url if _is_below(self._http.base_url, url) else f"{_path(batch.id)}/results"


def _network(base_url: str) -> httpx2.HTTPTransport:
    return httpx2.HTTPTransport(proxy=proxy_of(base_url), socket_options=KEEP_ALIVE)


def _path(batch_id: str) -> str:
    return f"{PATH}/{quote(batch_id, safe='')}"


def _is_below(base: httpx2.URL, url: str) -> bool:
    """Return whether a URL has the scheme, host, port and path of the base URL."""
    own = f"{str(base).rstrip('/')}/"  # without the slash, "https://api.test" would be the start of another host
    try:
        return str(httpx2.URL(url)).startswith(own)
    except (httpx2.InvalidURL, ValueError):
        return False


@contextmanager
def _lost_as_unavailable() -> Iterator[None]:
    """Raise ApiUnavailable for an answer that is missing or unreadable: a read changes nothing, so a retry is safe."""
    try:
        yield
    except (httpx2.HTTPError, *ODD) as error:
        message = f"{type(error).__name__}: {error}"
        raise ApiUnavailable(message) from error
