"""A request: row × recipe, as the bytes of its `params`."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from batchdrop.domain.answer_shape import TEXT_ANSWER, AnswerShape
from batchdrop.domain.conversation import Conversation, Message
from batchdrop.domain.limits import MAX_REQUEST_BYTES
from batchdrop.domain.prompt import RowUnaskable
from batchdrop.domain.recipe import Attach, Recipe, System
from batchdrop.domain.row import Row

_CACHE = {"type": "ephemeral", "ttl": "1h"}  # a Message Batch may take longer than the API's usual five minutes


class RequestSource(Protocol):
    """What turns a row into the `params` of a Messages request."""

    own: str
    """What the last row that was made said of its own: the part of its messages that was rendered, where it is text."""

    @property
    def empty(self) -> bytes | None:
        """Return the `params` of a row without words, for what all requests share; None if they share nothing."""

    def params(self, row: Row) -> bytes:
        """Return `params` as one line of JSON. Raises RowUnaskable with the reason."""


class Attacher(Protocol):
    """What turns a cell that names a file into a content block."""

    def __call__(self, cell: str, attach: Attach, /) -> dict[str, Any]:
        """Return the block, as Messages takes it (`document` or `image`). Raises RowUnaskable with the reason."""


class RecipeRequests:
    """Requests of a recipe. All that rows share is encoded once; a row costs only what is its own.

    `name` is the recipe's, for messages. `attach` is needed where the recipe has `attach`. Raises RecipeRejected for
    broken templates and examples.
    """

    def __init__(
        self, recipe: Recipe, shape: AnswerShape = TEXT_ANSWER, *, name: str, attach: Attacher | None = None
    ) -> None:
        if recipe.attached and attach is None:
            message = "a recipe with `attach` needs an Attacher"
            raise TypeError(message)
        self._conversation = Conversation(recipe, shape, name=name)
        self._encode = msgspec.json.Encoder().encode
        self._attacher = attach
        self._attached = recipe.attached
        pieces = _pieces(recipe, shape, self._conversation)
        *before, (self._head, self._last) = zip(pieces, (prompt for _, prompt in self._conversation.own), strict=True)
        self._before = before
        self.own = ""

    def check_columns(self, columns: list[str], *, filename: str) -> None:
        """Raise RecipeRejected if the recipe asks for a column that the file's header does not have."""
        self._conversation.check_columns(columns, filename=filename)

    @property
    def empty(self) -> bytes:
        """Return the `params` of a row without words."""
        return b'""'.join((*(piece for piece, _ in self._before), self._head, b"}]}"))

    def params(self, row: Row) -> bytes:
        """Return `params` with this row's messages. Raises RowUnaskable."""
        cells, encode = row.cells, self._encode
        parts: list[bytes] = []
        text = self._last.render(cells)
        content = encode(text)
        if self._before:
            said = [prompt.render(cells) for _, prompt in self._before]
            for (piece, _), words in zip(self._before, said, strict=True):
                parts += (piece, encode(words))
            text = "\n".join((*said, text))
        self.own = text
        if row.content or self._attached:
            content = self._with_blocks(row, content)
        return _within_limit(b"".join((*parts, self._head, content, b"}]}")))

    def _with_blocks(self, row: Row, text: bytes) -> bytes:
        blocks = [*row.content, *(self._block(row, attach) for attach in self._attached)]
        if not blocks:
            return text
        return b'%b,{"type":"text","text":%b}]' % (self._encode(blocks)[:-1], text)

    def _block(self, row: Row, attach: Attach) -> dict[str, Any]:
        assert self._attacher is not None  # the constructor saw to it
        cell = row.cells.get(attach.column)
        if not isinstance(cell, str) or not cell.strip():
            reason = f"column '{attach.column}' names no file to attach"
            raise RowUnaskable(reason)
        return self._attacher(cell, attach)


class ReadyRequest(msgspec.Struct):
    """A line `{"custom_id", "params"}` that needs no recipe. The caller's custom_id stays in the row."""

    custom_id: str
    params: msgspec.Raw


class ReadyRequests:
    """Requests that stand in the file itself, passed on to the byte."""

    own = ""  # whoever counts them reads them whole
    empty = None

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


def _pieces(recipe: Recipe, shape: AnswerShape, conversation: Conversation) -> list[bytes]:
    """Return the bytes that stand before each of the row's own contents: JSON, ready to be joined."""
    system, shared = _cached(recipe, conversation.shared)
    fields = {"model": recipe.model, "max_tokens": recipe.max_tokens, **system, **recipe.params}
    if shape.schema is not None:
        form = {"type": "json_schema", "schema": shape.schema}
        fields["output_config"] = {**recipe.params.get("output_config", {}), "format": form}
    openings = [b'{"role":"%b","content":' % role.encode() for role, _ in conversation.own]
    first = b",".join([*map(msgspec.json.encode, shared), openings[0]])
    head = msgspec.json.encode(fields)[:-1] + b',"messages":[' + first
    return [head, *(b"}," + opening for opening in openings[1:])]


def _cached(recipe: Recipe, shared: list[Message]) -> tuple[dict[str, Any], list[Message]]:
    """Return the system parameter and the shared messages; what they end with is marked for the cache, if asked for."""
    system = recipe.system
    if not isinstance(system, System):
        return ({} if system is None else {"system": system}), shared
    if not system.cache:
        return {"system": system.text}, shared
    if not shared:
        return {"system": [_marked(system.text)]}, shared
    last = {**shared[-1], "content": [_marked(shared[-1]["content"])]}
    return {"system": system.text}, [*shared[:-1], last]


def _marked(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": _CACHE}
