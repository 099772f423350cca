"""How the API says no: the words of its error bodies, and what statuses mean wherever they are met."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

BASE_URL = "https://api.anthropic.com"  # the SDK's default
API_VERSION = "2026-10-21"  # what the SDK sends
USER_AGENT = "batchdrop/0.1"
SPEND_LIMIT = "enforced_spend_limit_reached"
OVERLOADED = 529
REFUSED = {400, 404, 413, 422}  # the request itself was refused, for good: it did nothing (408 and 409 do not say so)

_ACCOUNT = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
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


_BODY = msgspec.json.Decoder(_Body)


def api_error(status: int, body: bytes) -> ApiError:
    """Return the API's own words; where there are none (a proxy's page), words for the status."""
    try:
        error = _BODY.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = ApiError(message=body[:200].decode(errors="replace"))
    if not error.type:
        error.type = _KIND_OF_STATUS.get(status, "invalid_request_error" if status in REFUSED else "api_error")
    return error


def is_account_trouble(status: int, error: ApiError) -> bool:
    """Tell whether the key, the bill, the permission or the spend limit is what stands in the way."""
    code = error.details.error_code if error.details else None
    return status in _ACCOUNT or SPEND_LIMIT in (code or "")


def told(status: int, error: ApiError, request_id: str | None) -> str:
    """Return what people read: `HTTP 401: authentication_error: invalid x-api-key (request-id req_1)`."""
    return f"HTTP {status}: {error.type}: {error.message} (request-id {request_id})"
