"""A request: row × recipe, as the bytes of its `params`."""

from typing import Any, Protocol

import msgspec

from batchdrop.domain.limits import MAX_REQUEST_BYTES
from batchdrop.domain.prompt import Prompt, RowUnaskable
from batchdrop.domain.recipe import Recipe
from batchdrop.domain.row import Row

_PLACEHOLDER = "\x00prompt\x00"  # stands where the prompt goes; `messages` comes last, so the last one found is it


class RequestSource(Protocol):
    """What turns a row into the `params` of a Messages request."""

    def params(self, row: Row) -> bytes:
        """Return `params` as one line of JSON. Raises RowUnaskable with the reason."""


class RecipeRequests:
    """Requests of a recipe. All that rows share is encoded once; a row costs its prompt only."""

    def __init__(self, recipe: Recipe, prompt: Prompt) -> None:
        self._prompt = prompt
        encoded = msgspec.json.encode(_params(recipe, _PLACEHOLDER))
        self._head, _, self._tail = encoded.rpartition(msgspec.json.encode(_PLACEHOLDER))
        self._encoder = msgspec.json.Encoder()

    def params(self, row: Row) -> bytes:
        """Return `params` with this row's prompt. Raises RowUnaskable."""
        content = self._encoder.encode(self._prompt.render(row.cells))
        return _within_limit(b"".join((self._head, content, self._tail)))


class ReadyRequest(msgspec.Struct):
    """A line `{"custom_id", "params"}` that needs no recipe. The caller's custom_id stays in the row."""

    custom_id: str
    params: msgspec.Raw


class ReadyRequests:
    """Requests that stand in the file itself, passed on to the byte."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(ReadyRequest)

    def params(self, row: Row) -> bytes:
        """Return the line's own `params`. Raises RowUnaskable when the line is no request."""
        try:
            params = bytes(self._decoder.decode(row.raw).params)
        except msgspec.DecodeError as error:
            reason = f'the line is no request {{"custom_id": …, "params": {{…}}}}: {error}'
            raise RowUnaskable(reason) from error
        if not params.startswith(b"{"):
            reason = "'params' is not an object"
            raise RowUnaskable(reason)
        return _within_limit(params)


def request_line(custom_id: str, params: bytes) -> bytes:
    """Return one entry of a create body's `requests`."""
    return b'{"custom_id":"%b","params":%b}' % (custom_id.encode(), params)


def _within_limit(params: bytes) -> bytes:
    if len(params) > MAX_REQUEST_BYTES:
        reason = f"the request has {len(params):,} bytes, the API takes at most {MAX_REQUEST_BYTES:,}; shorten the row"
        raise RowUnaskable(reason)
    return params


def _params(recipe: Recipe, content: str) -> dict[str, Any]:
    system = {} if recipe.system is None else {"system": recipe.system}
    return {
        "model": recipe.model,
        "max_tokens": recipe.max_tokens,
        **system,
        **recipe.params,
        "messages": [{"role": "user", "content": content}],
    }
