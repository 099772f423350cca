"""GET /v1/models and /v1/models/{id}: the models of the emulator's price table."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from batchdrop.local.claude_api.errors import NOT_FOUND, ApiError
from batchdrop.local.claude_api.params import MAX_OUTPUT_TOKENS
from batchdrop.local.claude_api.prices import MODELS, TABLE
from batchdrop.local.claude_api.visit import Visit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).isoformat()  # the API's value for an unknown release date


async def list_models(visit: Visit) -> Response:
    """GET /v1/models. Other names of a model are found by `retrieve` only."""
    del visit
    data = [_shown(name) for name in TABLE.models]
    return JSONResponse({"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]})


async def retrieve(visit: Visit) -> Response:
    """GET /v1/models/{id}, also by another name of the model."""
    name = str(visit.request.path_params["model_id"])
    if name not in MODELS:
        raise ApiError(NOT_FOUND, f"model: {name}")
    return JSONResponse(_shown(name))


def _shown(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _EPOCH,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": None,
        "max_tokens": MAX_OUTPUT_TOKENS,
        "line": None,
        "capabilities": None,
    }
