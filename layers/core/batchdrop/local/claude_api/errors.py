"""The API's errors: their types, statuses and bodies."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

INVALID_REQUEST = "invalid_request_error"
AUTHENTICATION = "authentication_error"
BILLING = "billing_error"
PERMISSION = "permission_error"
NOT_FOUND = "not_found_error"
TOO_LARGE = "request_too_large"
RATE_LIMIT = "rate_limit_error"

STATUS_OF_TYPE = {
    INVALID_REQUEST: 400,
    AUTHENTICATION: 401,
    BILLING: 402,
    PERMISSION: 403,
    NOT_FOUND: 404,
    "conflict_error": 409,
    TOO_LARGE: 413,
    RATE_LIMIT: 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
TYPE_OF_STATUS = {status: kind for kind, status in STATUS_OF_TYPE.items()}
MESSAGES = {
    AUTHENTICATION: "invalid x-api-key",
    BILLING: "Your credit balance is too low to access the Claude API.",
    PERMISSION: "Your API key does not have permission to use the specified resource.",
    RATE_LIMIT: "This request would exceed your organization's rate limit.",
    "api_error": "Internal server error",
    "timeout_error": "The request timed out while processing.",
    "overloaded_error": "Overloaded",
    INVALID_REQUEST: "The request was invalid.",
    NOT_FOUND: "Not found",
}


class ApiError(Exception):
    """An error response."""

    def __init__(
        self,
        kind: str,
        message: str | None = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """`kind` is the API's error type, known or not; `status` defaults to the type's own (500 for unknown types)."""
        self.kind = kind
        self.message = MESSAGES.get(kind, kind) if message is None else message
        self.status = STATUS_OF_TYPE.get(kind, 500) if status is None else status
        self.headers = dict(headers or {})
        self.details = details
        super().__init__(f"{self.status} {kind}: {self.message}")


class AwsError(Exception):
    """A refusal of AWS itself, which stands in front of the API: another body, and the reason's name in a header."""

    def __init__(self, kind: str, message: str) -> None:
        """`kind` is AWS's name of the reason, such as `AccessDeniedException`."""
        self.kind = kind
        self.message = message
        super().__init__(f"403 {kind}: {message}")


def aws_response(error: AwsError, request_id: str) -> Response:
    """Return AWS's HTTP response for a refusal: always 403."""
    headers = {"x-amzn-errortype": error.kind, "x-amzn-requestid": request_id}
    return Response(
        msgspec.json.encode({"message": error.message}), 403, headers=headers, media_type="application/json"
    )


def invalid(message: str) -> ApiError:
    """Return a 400 invalid_request_error."""
    return ApiError(INVALID_REQUEST, message)


def of_status(status: int, *, headers: Mapping[str, str] | None = None, error_code: str = "") -> ApiError:
    """Return the API's error for this HTTP status; `error_code` goes into its details."""
    kind = TYPE_OF_STATUS.get(status, "api_error")
    details = {"error_code": error_code} if error_code else None
    return ApiError(kind, status=status, headers=headers, details=details)


def error_body(error: ApiError, request_id: str | None) -> dict[str, Any]:
    """Return the body. A 413 comes from a proxy, so its body lacks the outer `type` and `request_id`."""
    inner: dict[str, Any] = {"type": error.kind, "message": error.message}
    if error.details is not None:
        inner["details"] = dict(error.details)
    if error.status == STATUS_OF_TYPE[TOO_LARGE]:
        return {"error": inner}
    body: dict[str, Any] = {"type": "error", "error": inner}
    if request_id is not None:
        body["request_id"] = request_id
    return body


def error_response(error: ApiError, request_id: str) -> Response:
    """Return the HTTP response for `error`."""
    body = msgspec.json.encode(error_body(error, request_id))
    return Response(body, error.status, headers=error.headers, media_type="application/json")
