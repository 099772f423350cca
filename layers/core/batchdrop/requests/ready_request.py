"""Requests that the file itself contains: `{"custom_id", "params"}`, passed through byte by byte."""

from __future__ import annotations

from typing import Any

import msgspec

from batchdrop.errors import RowRejected
from batchdrop.recipe.rules import FORBIDDEN_PARAMS, RECIPE_KEYS, SDK_ARGUMENTS, budget_fault
from batchdrop.requests.request import Request, within_limit
from batchdrop.requests.row import Row


class ReadyRequest(msgspec.Struct):
    """A line `{"custom_id", "params"}`, which needs no recipe. The caller's custom_id stays in the row."""

    custom_id: str
    params: msgspec.Raw


class _Params(msgspec.Struct):
    """The parameters that the API refuses, or that only the SDK takes."""

    max_tokens: Any = None
    thinking: Any = None
    stream: Any = None
    speed: Any = None
    workspace_id: Any = None
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    betas: Any = None
    extra_headers: Any = None
    extra_body: Any = None


_PARAMS = msgspec.json.Decoder(_Params)
_REFUSED = {name: why for name, why in FORBIDDEN_PARAMS.items() if name not in RECIPE_KEYS}


class ReadyRequests:
    """Reads requests from rows that are requests."""

    chunk_rows = 1
    waits = False
    empty = None

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(ReadyRequest)

    def request(self, row: Row) -> Request:
        """Return the line's request. Raises RowRejected if it is not a request, or one that the API would refuse."""
        try:
            params = bytes(self._decoder.decode(row.raw).params)
        except msgspec.DecodeError as error:
            reason = f'the line is not a request {{"custom_id": …, "params": {{…}}}}: {error}'
            raise RowRejected(reason) from error
        if not params.startswith(b"{"):
            reason = "'params' is not an object"
            raise RowRejected(reason)
        if reason := _refusal(params):
            raise RowRejected(reason)
        return Request(within_limit(params), "")  # no own text: token counting reads the whole params

    def requests(self, rows: object) -> None:
        """Return None: each line goes through `request`."""


def _refusal(params: bytes) -> str:
    """Return why the API would refuse the request, hours later; empty if nothing is known."""
    known = _PARAMS.decode(params)
    for name, why in _REFUSED.items():
        value = getattr(known, name)
        if value is not None and value is not False:
            return f"'params.{name}': {why}; remove it"
    for name in SDK_ARGUMENTS:
        if getattr(known, name) is not None:
            return f"'params.{name}' is an argument of the SDK, and no parameter of the API; remove it"
    limit = known.max_tokens
    budget = budget_fault(known.thinking, limit, []) if type(limit) is int else ""
    return f"'params.thinking.budget_tokens': {budget}" if budget else ""
