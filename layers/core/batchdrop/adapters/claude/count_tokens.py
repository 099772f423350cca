"""Count tokens with the API, which is free. The official SDK handles headers, auth and errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import anthropic
import httpx2
import msgspec

from batchdrop.adapters.claude.aws_refusal import refused_by_aws
from batchdrop.adapters.claude.errors import beta_header
from batchdrop.adapters.claude.json_body import json_of
from batchdrop.adapters.claude.sdk_client import sdk_client
from batchdrop.adapters.claude.signing import RequestSigner
from batchdrop.errors import AccountTrouble, ApiUnavailable, CountRefused, RateLimited

PATH = "/v1/messages/count_tokens"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
COUNTED = (
    *("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"),
    *("speed", "user_profile_id"),
)  # the SDK's MessageCountTokensParams: other parameters are refused

_ACCOUNT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
_REFUSED = {400, 404, 413, 422}
_LATER = {429, 529}


class _Count(msgspec.Struct):
    input_tokens: int


class AnthropicTokenCounter:
    """TokenCounter on the service at `base_url` (None: the SDK's default)."""

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str | None,
        transport: httpx2.BaseTransport | None = None,
        workspace: str = "",
        betas: tuple[str, ...] = (),
        signer: RequestSigner | None = None,
    ) -> None:
        self._signer = signer
        self._client = sdk_client(
            api_key=api_key,
            base_url=base_url,
            transport=transport,
            workspace=workspace,
            signer=signer,
            headers=beta_header(betas),
        )

    def count(self, params: bytes) -> int:
        """Return a request's input tokens. Raises AccountTrouble, RateLimited, ApiUnavailable or CountRefused."""
        options: Any = {
            "timeout": httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            "headers": {"Content-Type": "application/json"},
        }
        try:
            answer = self._client.post(PATH, content=_prompt(params), cast_to=httpx2.Response, options=options)
            return msgspec.json.decode(json_of(answer.content), type=_Count).input_tokens
        except anthropic.APIStatusError as error:
            raise self._refused_by_aws(error.response) or _known(error) from error
        except (anthropic.APIConnectionError, httpx2.HTTPError, msgspec.DecodeError) as error:
            if isinstance(error.__cause__, AccountTrouble):  # of the signer
                raise error.__cause__ from error
            message = f"tokens could not be counted: {error.__cause__ or error}"
            raise ApiUnavailable(message) from error

    def _refused_by_aws(self, response: httpx2.Response) -> Exception | None:
        signed = response.request.headers.get("authorization", "")
        return refused_by_aws(response.status_code, response.headers, response.content, signed, self._signer)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _prompt(params: bytes) -> bytes:
    """Return the prompt of a request. The parameters that shape the answer cannot be counted."""
    try:
        fields = msgspec.json.decode(params, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        message = f"it is not a request: {error}"
        raise CountRefused(message) from error
    return msgspec.json.encode({name: fields[name] for name in COUNTED if name in fields})


def _known(error: anthropic.APIStatusError) -> Exception:
    message = f"HTTP {error.status_code}: {error.message} (request-id {error.request_id})"
    if error.status_code in _ACCOUNT:
        return AccountTrouble(message)
    if error.status_code in _LATER:
        return RateLimited(message)
    return CountRefused(message) if error.status_code in _REFUSED else ApiUnavailable(message)
