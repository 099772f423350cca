"""The control endpoints for tests: clock, settings, faults, calls, bill. They need no key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from batchdrop.local.claude_api.clock import rfc3339
from batchdrop.local.claude_api.faults import InjectedFault
from batchdrop.local.claude_api.state import EmulatorState
from batchdrop.local.claude_api.wording import in_api_words


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    advance_seconds: float


class Control:
    """Control endpoints of one emulator."""

    def __init__(self, state: EmulatorState) -> None:
        """Control `state`."""
        self._state = state

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.about),
            Route("/_healthz", self.health),
            Route("/_bill", self.bill),
            Route("/_control/clock", _tolerant(self.clock), methods=["GET", "POST"]),
            Route("/_control/settings", _tolerant(self.settings), methods=["GET", "POST"]),
            Route("/_control/faults", _tolerant(self.faults), methods=["GET", "POST", "DELETE"]),
            Route("/_control/calls", self.calls, methods=["GET", "DELETE"]),
            Route("/_control/reset", self.reset, methods=["POST"]),
        ]

    async def about(self, _request: Request) -> Response:
        """Return what this server is."""
        return _json(
            {
                "name": "claude_api",
                "what": "an emulator of the Claude API; no model answers here",
                "now": rfc3339(self._state.clock.now()),
            }
        )

    async def health(self, _request: Request) -> Response:
        """Return that the server is up."""
        return _json({"status": "ok"})

    async def bill(self, request: Request) -> Response:
        """Return all charges so far, or the totals with ?summary=1."""
        state = self._state
        now = state.clock.now()
        for batch in state.batches.all():
            await asyncio.wrap_future(batch.ready)
        if _wants_summary(request):
            return _json(await asyncio.to_thread(state.bill.summary, now))
        return StreamingResponse(iterate_in_threadpool(state.bill.document(now)), media_type="application/json")

    async def clock(self, request: Request) -> Response:
        """Return the time, or advance the clock."""
        clock = self._state.clock
        if request.method == "POST":
            clock.advance(msgspec.json.decode(await request.body(), type=_Advance).advance_seconds)
        now = clock.now()
        return _json({"now": rfc3339(now), "epoch": now, "speed": clock.speed})

    async def settings(self, request: Request) -> Response:
        """Return all settings, after applying the given changes."""
        if request.method == "POST":
            self._state.change(msgspec.json.decode(await request.body(), type=dict[str, Any]))
        return _json(self._state.settings)

    async def faults(self, request: Request) -> Response:
        """List, inject (one, or a list), or clear faults."""
        board = self._state.faults
        if request.method == "DELETE":
            board.clear()
        if request.method == "POST":
            given = msgspec.json.decode(await request.body(), type=InjectedFault | list[InjectedFault])
            laid = [board.inject(fault) for fault in (given if isinstance(given, list) else [given])]
            return _json({"faults": laid})
        return _json({"faults": board.listed()})

    async def calls(self, request: Request) -> Response:
        """Return the last calls, or the counts with ?summary=1; DELETE clears them."""
        if request.method == "DELETE":
            self._state.calls.clear()
        if _wants_summary(request):
            return _json(self._state.calls.summary())
        return _json({"calls": self._state.calls.last()})

    async def reset(self, _request: Request) -> Response:
        """Reset everything except the clock."""
        await asyncio.to_thread(self._state.reset)
        return _json({"status": "ok"})


def _tolerant(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Answer 400 with the reason to an invalid control call."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (msgspec.MsgspecError, ValueError) as error:
            return _json({"error": in_api_words(error)}, 400)

    return answer


def _wants_summary(request: Request) -> bool:
    return request.query_params.get("summary") == "1"


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
