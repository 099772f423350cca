"""Build requests: row × recipe, as the bytes of `params`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple, Protocol

import msgspec

from batchdrop.answers.shape import TEXT_ANSWER, AnswerShape
from batchdrop.errors import RowRejected, RowSkipped
from batchdrop.limits import MAX_REQUEST_BYTES
from batchdrop.recipe.recipe import Attach, Recipe
from batchdrop.requests.chunking import CHUNK_BYTES, CHUNK_ROWS
from batchdrop.requests.conversation import Conversation
from batchdrop.requests.row import Row, Unusable
from batchdrop.requests.row_parameters import RowCheck, RowParameters
from batchdrop.requests.sandbox import spelled
from batchdrop.requests.unseen_gold import UnseenGold

_TAIL = b"}]}"
_NO_CELL = Unusable("")
_WITH_FRONT = b'[{"type":"text","text":%b},{"type":"text","text":%b}]'  # what a group shares, and the row's own text


class Request(NamedTuple):
    """A row's request: its `params` as one line of JSON.

    `own` is the row's own text: the rendered part of its messages.
    """

    params: bytes
    own: str


class RequestSource(Protocol):
    """Turns rows into Messages requests."""

    chunk_rows: int
    """The most rows to render in one call, so that their requests stay small in memory; 1: each row by itself."""
    waits: bool
    """Whether a request waits for files that its row attaches. Then it pays to prepare several at a time."""

    @property
    def empty(self) -> bytes | None:
        """Return the `params` of a row without text, which all requests share; None if they share nothing."""

    def request(self, row: Row) -> Request:
        """Return a row's request. Raises RowRejected."""

    def requests(self, rows: Sequence[Row]) -> tuple[list[bytes], list[str]] | None:
        """Return the params and the own texts of many rows, much faster than `request`.

        Return None if one of the rows must go through `request`.
        """


class Attacher(Protocol):
    """Turns a cell that names a file into a content block."""

    def __call__(self, cell: str, attach: Attach, /) -> dict[str, Any]:
        """Return the `document` or `image` block in the API's format. Raises RowRejected."""


class RecipeRequests:
    """Requests of a recipe. The parts that all rows share are encoded once.

    `name` is the recipe's name in messages. A recipe with `attach` needs an Attacher. `check_row` says why a row cannot
    have its own model and max_tokens. Raises RecipeRejected for broken templates and examples.
    """

    def __init__(
        self,
        recipe: Recipe,
        shape: AnswerShape = TEXT_ANSWER,
        *,
        name: str,
        attach: Attacher | None = None,
        check_row: RowCheck = lambda _model, _max_tokens: "",
    ) -> None:
        if recipe.attached and attach is None:
            message = "a recipe with `attach` needs an Attacher"
            raise TypeError(message)
        self._conversation = Conversation(recipe, shape, name=name)
        self._encode = msgspec.json.Encoder().encode
        self._attacher = attach
        self._attached = recipe.attached
        self._on_empty = recipe.on_empty
        self._own = RowParameters(recipe, name=name, check=check_row) if recipe.per_row else None
        self._pieces = _pieces(recipe, shape, self._conversation)
        self._prompts = [prompt for _, prompt in self._conversation.own]
        self._front = self._conversation.front
        self._by = recipe.grouped.by if recipe.grouped else None
        own = self._own.prompts.values() if self._own else ()
        self._gold = UnseenGold(recipe, [*self._conversation.prompts, *own], name=name)
        self.waits = bool(recipe.attached)
        self.chunk_rows = 1 if self.waits else self._chunk_rows()

    def _chunk_rows(self) -> int:
        prompts = [*self._prompts, *([self._front] if self._front else [])]
        if self._own is not None or not all(prompt.is_plain for prompt in prompts):
            return 1
        shared = sum(map(len, self._pieces)) + sum(prompt.size for prompt in prompts)
        return max(1, min(CHUNK_ROWS, CHUNK_BYTES // shared))

    def is_empty(self, row: Row) -> bool:
        """Return whether all columns of the prompt are empty in this row, which has no file of its own."""
        columns = self._conversation.columns
        if not columns or row.content or self._attached:
            return False
        return all(column in row.cells and _is_blank(row.cells[column]) for column in columns)

    def check_columns(self, columns: list[str], *, filename: str, advice: str = "") -> None:
        """Raise RecipeRejected if the recipe uses a column that is not in the file's header."""
        self._conversation.check_columns(columns, filename=filename, advice=advice)
        self._gold.check_columns(columns, filename=filename)
        for prompt in self._own.prompts.values() if self._own else ():
            prompt.check_columns(columns, filename=filename, advice=advice)

    @property
    def empty(self) -> bytes | None:
        """Return the `params` of a row without text; None if rows have parameters of their own."""
        if self._own is not None:
            return None
        content = b'""' if self._front is None else _WITH_FRONT % (b'""', b'""')
        return content.join((*self._pieces, _TAIL))

    def request(self, row: Row) -> Request:
        """Return a row's request. Raises RowRejected."""
        if self._on_empty != "send" and self.is_empty(row):
            raise self._empty()
        if self._by is not None and self._by not in row.cells:
            reason = f"column '{self._by}', by which rows are grouped, is missing (columns: {', '.join(row.cells)})"
            raise RowRejected(reason)
        if self._by is not None:
            spelled(row.cells[self._by])  # raises for a cell that no prompt can have
        cells = self._gold.hidden(row.cells)
        said = [prompt.render(cells) for prompt in self._prompts]
        contents = list(map(self._encode, said))
        if self._front is not None:
            front = self._front.render(cells)
            said.insert(0, front)
            contents[-1] = _WITH_FRONT % (self._encode(front), contents[-1])
        if row.content or self._attached:
            contents[-1] = self._with_blocks(row, contents[-1])
        parts = chain.from_iterable(zip(self._pieces_of(row), contents, strict=True))
        return Request(within_limit(b"".join((*parts, _TAIL))), "\n".join(said))

    def requests(self, rows: Sequence[Row]) -> tuple[list[bytes], list[str]] | None:
        """Return many rows' requests; None if one of them must go through `request`."""
        alone = [row for row in rows if row.error or row.content]
        if alone or self._attached or self._own or (self._on_empty != "send" and any(map(self.is_empty, rows))):
            return None
        cells = [row.cells for row in rows]
        if self._by is not None and not all(type(own.get(self._by, _NO_CELL)) is not Unusable for own in cells):
            return None
        parts: list[Iterable[bytes]] = []
        said: list[list[str]] = []
        for piece, prompt in zip(self._pieces, self._prompts, strict=True):
            texts = prompt.render_all(cells)
            if texts is None:
                return None
            contents = map(self._encode, texts)
            if self._front is not None:
                fronts = self._front.render_all(cells)
                if fronts is None:
                    return None
                contents = map(_WITH_FRONT.__mod__, zip(map(self._encode, fronts), contents, strict=True))
                said.append(fronts)
            parts += (repeat(piece), contents)
            said.append(texts)
        params = list(map(b"".join, zip(*parts, repeat(_TAIL))))
        if max(map(len, params), default=0) > MAX_REQUEST_BYTES:
            return None
        return params, said[0] if len(said) == 1 else list(map("\n".join, zip(*said, strict=True)))

    def _pieces_of(self, row: Row) -> list[bytes]:
        if self._own is None:
            return self._pieces
        first, *others = self._pieces
        return [b"{" + self._own.rendered(self._gold.hidden(row.cells)) + first, *others]

    def _empty(self) -> RowRejected:
        columns = ", ".join(sorted(self._conversation.columns))
        reason = f"all columns of the prompt are empty in this row ({columns})"
        return RowSkipped(reason) if self._on_empty == "skip" else RowRejected(f"{reason}; fill one, or drop the row")

    def _with_blocks(self, row: Row, text: bytes) -> bytes:
        blocks = [*row.content, *(self._block(row, attach) for attach in self._attached)]
        if not blocks:
            return text
        return b'%b,{"type":"text","text":%b}]' % (self._encode(blocks)[:-1], text)

    def _block(self, row: Row, attach: Attach) -> dict[str, Any]:
        assert self._attacher is not None  # the constructor checked it
        cell = row.cells.get(attach.column)
        if isinstance(cell, Unusable):
            raise RowRejected(cell.reason)
        if not isinstance(cell, str) or not cell.strip():
            reason = f"column '{attach.column}' is empty; write the file to attach"
            raise RowRejected(reason)
        return self._attacher(cell, attach)


def request_line(custom_id: str, params: bytes) -> bytes:
    """Return one entry of a create body's `requests`."""
    return b'{"custom_id":"%b","params":%b}' % (custom_id.encode(), params)


def request_lines(own_ids: str, numbered: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """Return the entries of many requests, each with its row's index. `own_ids` is the custom_ids' common prefix."""
    form = b'{"custom_id":"%b%%06d","params":%%b}' % own_ids.encode()
    return [form % one for one in numbered]


def _is_blank(cell: Any) -> bool:
    return cell is None or (not cell.strip() if isinstance(cell, str) else cell in ([], {}))


def within_limit(params: bytes) -> bytes:
    """Return the params of a request. Raises RowRejected if they are too large for the API."""
    if len(params) > MAX_REQUEST_BYTES:
        reason = f"the request has {len(params):,} bytes; the API takes at most {MAX_REQUEST_BYTES:,}; shorten the row"
        raise RowRejected(reason)
    return params


def _pieces(recipe: Recipe, shape: AnswerShape, conversation: Conversation) -> list[bytes]:
    """Return the JSON bytes that come before each of the row's own contents.

    They are not marked for the prompt cache: `cache_mark` does that while a round is sent.
    """
    system = {} if recipe.system is None else {"system": recipe.system_text}
    own = {} if recipe.per_row else {"model": recipe.model, "max_tokens": recipe.max_tokens}
    fields = {**own, **system, **recipe.params}
    if shape.schema is not None:
        form = {"type": "json_schema", "schema": shape.schema}
        fields["output_config"] = {**recipe.params.get("output_config", {}), "format": form}
    openings = [b'{"role":"%b","content":' % role.encode() for role, _ in conversation.own]
    first = b",".join([*map(msgspec.json.encode, conversation.shared), openings[0]])
    head = msgspec.json.encode(fields)[:-1] + b',"messages":[' + first
    if recipe.per_row:  # the row's own parameters stand before this piece
        head = b',"messages":[' + first if not fields else b"," + head[1:]
    return [head, *(b"}," + opening for opening in openings[1:])]
