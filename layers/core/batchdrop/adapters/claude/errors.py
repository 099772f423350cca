"""Read the API's error bodies, and what its statuses mean for every call."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Literal

import msgspec

from batchdrop.adapters.claude.json_body import json_of
from batchdrop.answers.account_trouble import is_account_error
from batchdrop.answers.odd_records import ODD

BASE_URL = "https://api.anthropic.com"  # the SDK's default
API_VERSION = "2026-10-21"  # what the SDK sends
USER_AGENT = "batchdrop/0.1"
OVERLOADED = 529
REFUSED = {
    400,
    404,
    413,
    422,
}  # the request had no effect, and a retry would end the same way; 408 and 409 do not promise that

_ACCOUNT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
STATUS_OF_KIND = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": OVERLOADED,
}
"""The statuses of the API's errors, for errors in a stream."""

_KIND_OF_STATUS = {408: "timeout_error", 413: "request_too_large", 504: "timeout_error", 529: "overloaded_error"}


class _Details(msgspec.Struct):
    error_code: str | None = None


class ApiError(msgspec.Struct):
    """The inner error of an error body."""

    type: str = ""
    message: str = ""
    details: _Details | None = None


class _Body(msgspec.Struct):
    error: ApiError


class _Envelope(msgspec.Struct):
    type: Literal["error"]
    error: ApiError


_BODY = msgspec.json.Decoder(_Body)
_ENVELOPE = msgspec.json.Decoder(_Envelope)


def beta_header(betas: tuple[str, ...]) -> dict[str, str]:
    """Return the header that switches betas of the API on; nothing without betas."""
    return {"anthropic-beta": ",".join(betas)} if betas else {}


def workspace_header(workspace: str) -> dict[str, str]:
    """Return the header that selects a workspace, as the SDK names it; nothing where none is set."""
    return {"anthropic-workspace-id": workspace} if workspace else {}


def bearer(api_key: str, signer: object | None) -> dict[str, str]:
    """Return the header that carries the key; nothing where requests are signed."""
    return {"Authorization": f"Bearer {api_key}"} if signer is None else {}


def key_print(api_key: str) -> str:
    """Return a fingerprint of a key, from which the key cannot be found."""
    return hashlib.sha256(b"batchdrop key " + api_key.encode()).hexdigest()[:16]


def api_error(status: int, body: bytes) -> ApiError:
    """Return the API's own error; for a body that is not the API's (a proxy's page), one that fits the status."""
    try:
        error = _BODY.decode(json_of(body)).error
    except ODD:
        error = ApiError(message=body[:200].decode(errors="replace"))
    if not error.type:
        error.type = _KIND_OF_STATUS.get(status, "invalid_request_error" if status in REFUSED else "api_error")
    return error


def error_body(error: ApiError) -> bytes:
    """Return the body that the API sends with an error."""
    return msgspec.json.encode({"type": "error", "error": error})


def is_from_api(status: int, body: bytes) -> bool:
    """Tell whether an error body is the API's own. Proxies answer pages of their own, even after a create was accepted.

    The API's 413 lacks the outer type.
    """
    text = json_of(body)
    try:
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _BODY.decode(text).error.type == _KIND_OF_STATUS[413]
        return bool(_ENVELOPE.decode(text).error.type)
    except ODD:
        return False


def is_account_trouble(status: int, error: ApiError) -> bool:
    """Return whether the key, billing, a permission or a spend limit is the reason."""
    code = error.details.error_code if error.details else None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # it may be a proxy's page, and does not say what happened
        return False
    return status in _ACCOUNT or is_account_error(error.type, error.message, code)


def told(status: int, error: ApiError, request_id: str | None) -> str:
    """Return words for people: `HTTP 401: authentication_error: invalid x-api-key (request-id req_1)`."""
    return f"HTTP {status}: {error.type}: {error.message} (request-id {request_id})"
