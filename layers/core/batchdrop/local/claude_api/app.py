"""The emulator as an ASGI application."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchdrop.local.claude_api import batch_endpoints, message_endpoints, model_endpoints
from batchdrop.local.claude_api.control import Control
from batchdrop.local.claude_api.errors import ApiError, error_response
from batchdrop.local.claude_api.gate import gated
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.visit import Handler

_BATCHES = "/v1/messages/batches"
_ENDPOINTS: tuple[tuple[str, str, str, Handler], ...] = (
    ("messages.create", "POST", "/v1/messages", message_endpoints.create),
    ("messages.count_tokens", "POST", "/v1/messages/count_tokens", message_endpoints.count_tokens),
    ("models.list", "GET", "/v1/models", model_endpoints.list_models),
    ("models.retrieve", "GET", "/v1/models/{model_id}", model_endpoints.retrieve),
    ("batches.create", "POST", _BATCHES, batch_endpoints.create),
    ("batches.list", "GET", _BATCHES, batch_endpoints.list_batches),
    ("batches.retrieve", "GET", _BATCHES + "/{batch_id}", batch_endpoints.retrieve),
    ("batches.delete", "DELETE", _BATCHES + "/{batch_id}", batch_endpoints.delete),
    ("batches.cancel", "POST", _BATCHES + "/{batch_id}/cancel", batch_endpoints.cancel),
    ("batches.results", "GET", _BATCHES + "/{batch_id}/results", batch_endpoints.results),
)


def create_app(state: EmulatorState) -> Starlette:
    """Return the application. The caller closes `state`, which outlives it."""
    routes = [Route(path, gated(state, name, handler), methods=[method]) for name, method, path, handler in _ENDPOINTS]
    return Starlette(
        routes=[*routes, *Control(state).routes()],
        exception_handlers={404: _unknown_place, 405: _unknown_place},
    )


async def _unknown_place(request: Request, error: Exception) -> Response:
    """Return the API's answer for an unknown path or method."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    kind = "not_found_error" if status == 404 else "invalid_request_error"  # noqa: PLR2004 - HTTP's own number
    answer = ApiError(kind, f"{request.method} {request.url.path}: no such endpoint", status=status)
    return error_response(answer, "req_none")
