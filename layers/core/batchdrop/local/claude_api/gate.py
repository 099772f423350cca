"""The steps of every API call: request id, key, version, faults, limits, headers, record."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from batchdrop.local.claude_api.auth import betas_of, check_key, checked_version, named_workspace, workspace_of
from batchdrop.local.claude_api.aws_auth import DIGEST, check_action, check_signature
from batchdrop.local.claude_api.calls import Call
from batchdrop.local.claude_api.connection import DroppedResponse, HangingResponse, LinesResponse, SlowResponse
from batchdrop.local.claude_api.dice import token
from batchdrop.local.claude_api.errors import (
    RATE_LIMIT,
    STATUS_OF_TYPE,
    ApiError,
    AwsError,
    aws_response,
    error_response,
    of_status,
)
from batchdrop.local.claude_api.faults import AFTER, BEFORE, InjectedFault
from batchdrop.local.claude_api.odd_bodies import misshapen
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.streams import EVENT_STREAM, dropped_within, ended_by_error, ends_before_message
from batchdrop.local.claude_api.visit import Handler, Visit

_FIRST_ERROR_STATUS = 400


def gated(state: EmulatorState, endpoint: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return a Starlette endpoint that runs `handler` only for calls that pass the checks."""

    async def answer(request: Request) -> Response:
        number = state.next_number("request")
        request_id = token("req", f"{state.folder}/{number}")
        visit = Visit(request, endpoint, state, request_id)
        response = await _response(visit, handler)
        response.headers["request-id"] = request_id
        response.headers["date"] = formatdate(state.clock.now(), usegmt=True)
        response.headers.update(visit.limit_headers())
        _record(visit, response)
        return response

    return answer


async def _response(visit: Visit, handler: Handler) -> Response:
    try:
        await _check_caller(visit)
        early = _let_in(visit)
        if early is not None:
            return early
        response = await handler(visit)
    except ApiError as error:
        return error_response(error, visit.request_id)
    except AwsError as error:
        return aws_response(error, visit.request_id)
    except ClientDisconnect:
        return DroppedResponse()
    if response.status_code >= _FIRST_ERROR_STATUS:
        return response
    is_stream = response.media_type == EVENT_STREAM
    fault = visit.state.faults.take(
        visit.endpoint, AFTER, lambda fault: is_stream or not fault.kind.startswith("stream_")
    )
    is_error = fault is not None and fault.kind == "stream_error" and ends_before_message(response, fault.fraction)
    if not is_error:
        visit.put_on_bill()
    return response if fault is None else await _spoilt(response, fault, visit.request_id)


async def _check_caller(visit: Visit) -> None:
    """Note the workspace of a caller that may make the call; raises ApiError for a key, AwsError for a signature."""
    request, settings = visit.request, visit.state.settings
    if settings.provider == "aws":
        await check_signature(request, settings)
        visit.workspace = named_workspace(request.headers)
        check_action(visit.endpoint, visit.workspace, settings)
        visit.digest = request.headers.get(DIGEST, "")
        return
    check_key(request.headers, settings)
    visit.workspace = workspace_of(request.headers, settings)


def _let_in(visit: Visit) -> Response | None:
    """Check the call; raises ApiError, or returns the response of a fault in place of the work."""
    state = visit.state
    visit.version = checked_version(visit.request.headers)
    visit.betas = betas_of(visit.request.headers)
    if visit.endpoint.startswith("batches."):
        visit.limit_headers = state.limits.batches_headers
    fault = state.faults.take(visit.endpoint, BEFORE)
    if fault is not None:
        return _instead(fault)
    if visit.endpoint.startswith("batches."):
        state.limits.admit_batches_call()
    return None


def _instead(fault: InjectedFault) -> Response:
    match fault.kind:
        case "drop_before_accept":
            return DroppedResponse()
        case "hang_before_accept":
            return HangingResponse(fault.seconds)
        case "error_before_accept":
            raise of_status(fault.status, error_code=fault.error_code)
        case "page_before_accept":
            return _page(fault)
        case "spend_cap":
            msg = "You have reached your organization's monthly API usage threshold."
            raise ApiError(RATE_LIMIT, msg, details={"error_code": "enforced_spend_limit_reached"})
        case _:
            headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
            raise of_status(STATUS_OF_TYPE[RATE_LIMIT], headers=headers, error_code=fault.error_code)


def _page(fault: InjectedFault) -> Response:
    """Return what a proxy in front of the API answers, in its own words."""
    return Response(fault.body, fault.status, media_type="text/html")


async def _spoilt(response: Response, fault: InjectedFault, request_id: str) -> Response:
    match fault.kind:
        case "accept_then_drop" | "accept_then_hang":
            return DroppedResponse() if fault.kind == "accept_then_drop" else HangingResponse(fault.seconds)
        case "page_after_accept":
            return _page(fault)
        case "stream_error" | "stream_dropped":
            return _cut(response, fault)
        case "odd_body":
            return misshapen(response, fault.shape)
        case "slow_body":
            body = b"".join(response.blocks) if isinstance(response, LinesResponse) else bytes(response.body)
            return SlowResponse(response, body, fault.seconds)
        case _:
            return error_response(of_status(fault.status, error_code=fault.error_code), request_id)


def _cut(response: Response, fault: InjectedFault) -> Response:
    if fault.kind == "stream_dropped":
        return dropped_within(response, fault.fraction)
    return ended_by_error(response, of_status(fault.status, error_code=fault.error_code), fault.fraction)


def _record(visit: Visit, response: Response) -> None:
    visit.state.calls.add(
        Call(
            at=visit.state.clock.now(),
            endpoint=visit.endpoint,
            outcome=getattr(response, "outcome", str(response.status_code)),
            request_id=visit.request_id,
            path=visit.request.url.path,
            bytes_in=visit.bytes_in,
            chunked=visit.chunked,
        ),
    )
