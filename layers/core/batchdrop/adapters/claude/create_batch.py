"""Create Message Batches. The official SDK handles headers, auth and errors; the body is a raw stream.

`max_retries=0`: a create must never be sent twice. The SDK would also obey a `retry-after` that is longer than the
function's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx2

from batchdrop.adapters.claude.batch_object import batch_of
from batchdrop.adapters.claude.errors import OVERLOADED, REFUSED, beta_header, is_from_api
from batchdrop.adapters.claude.json_body import json_of
from batchdrop.adapters.claude.read_batches import CONNECT_SECONDS, PATH, HttpBatchReader, told_of
from batchdrop.adapters.claude.sdk_client import sdk_client
from batchdrop.adapters.claude.signing import DIGEST, RequestSigner, digest_of
from batchdrop.answers.odd_records import ODD
from batchdrop.answers.result import MessageBatch
from batchdrop.batch_lane.ports import RequestBody
from batchdrop.errors import (
    AccountTrouble,
    ApiUnavailable,
    AwsUnavailable,
    BatchdropError,
    SubmissionRefused,
    SubmissionUncertain,
)

# The answer is missing or unreadable, so its outcome is unknown.
_LOST = (anthropic.APIConnectionError, httpx2.HTTPError, *ODD)


def _digest_of(body: RequestBody) -> str:
    """Return the SHA-256 of a body. Raises ApiUnavailable if it cannot be read: nothing was sent yet."""
    try:
        return digest_of(body)
    except (OSError, AwsUnavailable) as error:
        message = f"the create was not sent, because its body cannot be read: {error}"
        raise ApiUnavailable(message) from error


class AnthropicBatchCreator(HttpBatchReader):
    """BatchCreator on the service at `base_url` (None: Anthropic's own)."""

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
        super().__init__(
            api_key=api_key,
            base_url=base_url,
            transport=transport,
            fresh_key=fresh_key,
            workspace=workspace,
            signer=signer,
        )
        self._sdk = sdk_client(
            api_key=api_key, base_url=base_url, transport=transport, workspace=workspace, signer=signer
        )

    def create(self, body: RequestBody, *, timeout: float, betas: tuple[str, ...] = ()) -> MessageBatch:
        """Send one create with a Content-Length, once.

        Raises SubmissionRefused, AccountTrouble, RateLimited or ApiUnavailable when nothing was created;
        SubmissionUncertain for all else: a 5xx or a lost answer may hide a Message Batch that will be billed.
        """
        headers = {"Content-Type": "application/json", "Content-Length": str(body.size), **beta_header(betas)}
        if self._signer is not None:  # the body is read twice: of a marked one, the digest is known only at its end
            headers[DIGEST] = _digest_of(body)
        options: Any = {"timeout": httpx2.Timeout(timeout, connect=CONNECT_SECONDS), "headers": headers}
        with self._create_errors():
            answer = self._sdk.post(PATH, content=body, cast_to=httpx2.Response, options=options)
            return batch_of(json_of(answer.content))

    def _refusal(self, response: httpx2.Response) -> BatchdropError:
        """Return the error of a create without success. Only the API's own word says that nothing was created."""
        status = response.status_code
        if refusal := self._refused_by_aws(response):
            return refusal
        if status == OVERLOADED or not is_from_api(status, response.content):
            return SubmissionUncertain(told_of(response))
        kind = SubmissionRefused if status in REFUSED else SubmissionUncertain
        return self._known(response) or kind(told_of(response))

    @contextmanager
    def _create_errors(self) -> Iterator[None]:
        """Raise the error that tells whether something was created, or that this is unknown."""
        try:
            yield
        except anthropic.APIStatusError as error:
            raise self._refusal(error.response) from error
        except _LOST as error:
            if isinstance(error.__cause__, AccountTrouble):  # of the signer, so no byte was sent
                raise error.__cause__ from error
            if isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout)):
                message = f"cannot connect to the API: {error.__cause__}"
                raise ApiUnavailable(message) from error  # no byte was sent, so nothing was created
            message = f"the create was sent and its answer was lost: {type(error).__name__}: {error}"
            raise SubmissionUncertain(message) from error
