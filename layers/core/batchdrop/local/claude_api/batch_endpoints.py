"""The Message Batches endpoints, including the download of results."""

import asyncio
import shutil
from typing import Any

import msgspec
from starlette.responses import Response

from batchdrop.local.claude_api.batch_body import index_body
from batchdrop.local.claude_api.batches import Batch
from batchdrop.local.claude_api.connection import LinesResponse
from batchdrop.local.claude_api.errors import NOT_FOUND, ApiError, invalid
from batchdrop.local.claude_api.faults import AFTER_THE_END, LIST, RESULTS, InjectedFault
from batchdrop.local.claude_api.odd_bodies import miscounted
from batchdrop.local.claude_api.results import result_blocks
from batchdrop.local.claude_api.state import body_path
from batchdrop.local.claude_api.visit import Visit

DEFAULT_PAGE = 20
MAX_PAGE = 1000  # list: limit ranges from 1 to 1000


async def create(visit: Visit) -> Response:
    """POST /v1/messages/batches."""
    state = visit.state
    folder = state.new_folder()
    try:
        await visit.spool(body_path(folder), state.settings.max_batch_bytes)
        index = await asyncio.to_thread(
            index_body,
            body_path(folder),
            max_requests=state.settings.max_batch_requests,
        )
        batch = state.accept(folder, index, visit.version, visit.betas)
        batch.workspace = visit.workspace
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    answered = _answered_with(batch, visit)
    if answered is not batch:
        return await _shown(answered, visit)
    return _json(_view(batch, batch.created_at, visit, visit.api_url))


def _answered_with(created: Batch, visit: Visit) -> Batch:
    """Return the Message Batch that a create is answered with: the created one, unless a fault confuses them."""
    others = [one for one in visit.state.batches.all() if one is not created and one.workspace == visit.workspace]
    if not others:
        return created
    fault = visit.state.faults.take(visit.endpoint, ("create_other_id",))
    if fault is None:
        return created
    return next((one for one in others if one.id == fault.batch_id), others[-1])


async def retrieve(visit: Visit) -> Response:
    """GET /v1/messages/batches/{id}."""
    return await _shown(_found(visit), visit)


async def cancel(visit: Visit) -> Response:
    """POST /v1/messages/batches/{id}/cancel; a repeated call changes nothing, a call after the end is a 400."""
    state, batch = visit.state, _found(visit)
    now = state.clock.now()
    if batch.ended(now):
        raise invalid(f"Message Batch {batch.id} has already ended and cannot be canceled")
    if batch.cancel_at is None:
        batch.cancel_in_vain = state.faults.take(visit.endpoint, ("cancel_ignored",)) is not None
        batch.cancel_seconds = state.settings.cancel_seconds
        batch.cancel_at = now
    return await _shown(batch, visit)


async def delete(visit: Visit) -> Response:
    """DELETE /v1/messages/batches/{id}; its charges stay on the bill."""
    batch = _found(visit)
    if not batch.ended(visit.state.clock.now()):
        raise invalid(f"Message Batch {batch.id} is still being processed; cancel it before deleting it")
    batch.deleted = True
    return _json({"id": batch.id, "type": "message_batch_deleted"})


async def list_batches(visit: Visit) -> Response:
    """GET /v1/messages/batches."""
    state, query = visit.state, visit.request.query_params
    now = state.clock.now()
    newest = state.batches.newest_at()
    fault = state.faults.take(visit.endpoint, ("late_in_list",), lambda fault: newest > now - fault.seconds)
    youngest = now if fault is None else now - fault.seconds
    page, has_more = state.batches.page(
        min(_page_size(query.get("limit")), state.settings.most_listed),
        query.get("after_id"),
        query.get("before_id"),
        youngest,
        visit.workspace,
    )
    for batch in page:
        await batch.settled(now)
    spoilt = state.faults.take(visit.endpoint, LIST, lambda fault: _is_at(fault, query.get("after_id"), has_more))
    if spoilt is not None and spoilt.kind == "list_lost_cursor":
        page, has_more = [], False
    url = _results_host(visit) if any(batch.ended(now) for batch in page) else visit.api_url
    return _json(
        {
            "data": [_view(batch, now, visit, url) for batch in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page and spoilt is None else None,
        },
    )


def _is_at(fault: InjectedFault, after_id: str | None, has_more: bool) -> bool:  # noqa: FBT001 - as the list says it
    """Tell whether a fault of the list can happen on this page."""
    return has_more if fault.kind == "list_null_cursor" else after_id is not None


async def results(visit: Visit) -> Response:
    """GET /v1/messages/batches/{id}/results."""
    state = visit.state
    batch = state.batches.get(visit.batch_id, visit.workspace)
    now = state.clock.now()
    if not batch.ended(now):
        raise ApiError(NOT_FOUND, f"Message Batch {batch.id} has no results yet: it has not ended")
    if batch.archived(now):
        raise ApiError(NOT_FOUND, f"Message Batch {batch.id} is archived: its results are no longer available")
    _maybe_not_there(visit, batch.ended_at)
    await batch.settled(now)
    fault = state.faults.take(visit.endpoint, RESULTS)
    return LinesResponse(result_blocks(batch, now, fault))


def _found(visit: Visit) -> Batch:
    batch = visit.state.batches.get(visit.batch_id, visit.workspace)
    _maybe_not_there(visit, batch.created_at)
    return batch


def _maybe_not_there(visit: Visit, since: float) -> None:
    """Raise ApiError (404) if a fault hides Message Batches as young as this one."""
    age = visit.state.clock.now() - since
    kinds = ("not_found_when_fresh",)
    if visit.state.faults.take(visit.endpoint, kinds, lambda fault: age < fault.seconds):
        raise ApiError(NOT_FOUND, f"Message Batch {visit.batch_id} not found")


async def _shown(batch: Batch, visit: Visit) -> Response:
    now = visit.state.clock.now()
    await batch.settled(now)
    url = _results_host(visit) if batch.ended(now) else visit.api_url
    return _json(_view(batch, now, visit, url))


def _view(batch: Batch, now: float, visit: Visit, url: str) -> dict[str, Any]:
    """Return a Message Batch, with the counts that a fault gives it."""
    fault = visit.state.faults.take(
        visit.endpoint, ("odd_counts",), lambda fault: batch.ended(now) or fault.counts not in AFTER_THE_END
    )
    view = batch.view(now, url)
    return view if fault is None else miscounted(view, fault.counts)


def _results_host(visit: Visit) -> str:
    fault = visit.state.faults.take(visit.endpoint, ("results_foreign_host",))
    return fault.host if fault else visit.api_url


def _page_size(limit: str | None) -> int:
    if limit is None:
        return DEFAULT_PAGE
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE:
        raise invalid(f"limit: must be a whole number from 1 to {MAX_PAGE}")
    return int(limit)


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
