"""Turn AWS's transient faults into one error, AwsUnavailable, so that the state machine retries one name.

`translate_faults` listens to botocore's own events. It covers every call of every client that a session makes, with
paginators and tables, so an adapter cannot forget it. Only the body of a streamed answer is read outside a call: wrap
that in `stream_faults`. A fault that does not pass (AccessDenied, ValidationException, NoSuchBucket) stays botocore's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from batchdrop.errors import AwsUnavailable

if TYPE_CHECKING:
    from botocore.hooks import BaseEventHooks

# No answer, or only a part of it: connections that were refused, closed, reset or too slow.
UNREACHABLE = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)

# Error codes with a 4xx status that pass all the same. Codes of throttling are matched by a word, because each service
# spells them its own way (ThrottlingException, RequestThrottled, KmsThrottled, …); a 429 or 5xx is matched by status.
TRANSIENT = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",  # S3: the body came too slowly; status 400
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "TooManyRequestsException",
    "TransactionConflict",  # DynamoDB: one of the reasons of a canceled transaction
    "TransactionConflictException",  # DynamoDB: a transaction holds the item
    "TransactionInProgressException",
}
THROTTLED = "throttl"


def translate_faults(events: BaseEventHooks) -> None:
    """Let the clients that a session makes from now on raise AwsUnavailable for a transient fault.

    `events` are the session's: `boto3.Session().events`.
    """
    events.register("after-call", _refuse_transient, unique_id="batchdrop-faults")
    events.register("after-call-error", _refuse_unreachable, unique_id="batchdrop-connection-faults")


def translated(error: ClientError) -> Exception:
    """Return AwsUnavailable for a transient refusal, and any other refusal as it is."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return AwsUnavailable(str(error)) if _is_transient(status, error.response) else error


@contextmanager
def stream_faults() -> Iterator[None]:
    """Raise AwsUnavailable where a streamed body breaks off."""
    try:
        yield
    except UNREACHABLE as error:
        raise unreachable(error) from error


def unreachable(error: Exception) -> AwsUnavailable:
    """Return AwsUnavailable with botocore's own words."""
    return AwsUnavailable(f"{type(error).__name__}: {error}")


def _refuse_transient(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    if http_response.status_code < HTTPStatus.MULTIPLE_CHOICES or not _is_transient(http_response.status_code, parsed):
        return
    refusal = ClientError(parsed, model.name)
    raise AwsUnavailable(str(refusal)) from refusal


def _refuse_unreachable(exception: Exception, **_: Any) -> None:
    # A parser error means that something else answered, such as a load balancer with a page.
    if isinstance(exception, (*UNREACHABLE, ResponseParserError)):
        raise unreachable(exception) from exception


def _is_transient(status: int, response: Any) -> bool:
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    reasons = [reason.get("Code", "") for reason in response.get("CancellationReasons", [])]
    return any(code in TRANSIENT or THROTTLED in code.lower() for code in (_code(response), *reasons))


def _code(response: Any) -> str:
    return str(response.get("Error", {}).get("Code", ""))
