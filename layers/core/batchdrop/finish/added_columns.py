"""Fill the columns that `output.add` names, from each row's final result line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from batchdrop.answers.odd_records import ODD, heads_of, records_of
from batchdrop.answers.outcome import Outcome
from batchdrop.money.cost import dollars, unit_of
from batchdrop.money.prices import PriceTable
from batchdrop.requests.row import StoredRow


class AddedColumns:
    """Reads the values of the `wanted` columns. `own_id` returns the custom_id of the request that a row shares.

    A line is decoded once more, row by row, so memory does not grow with the rows or the columns.
    """

    def __init__(self, wanted: Sequence[str], own_id: Callable[[StoredRow, int], str], prices: PriceTable) -> None:
        self._own_id = own_id
        self._prices = prices
        self._needs_line = [*wanted] != ["custom_id"]
        self._read: list[Callable[[_Answer], Any]] = [_READERS[name] for name in wanted]

    def fill(
        self,
        rows: Sequence[StoredRow],
        sent: Sequence[int | None],
        lines: Sequence[bytes | None],
        outcomes: Sequence[Outcome],
    ) -> list[Outcome]:
        """Return the outcomes with the added values. `sent` has the index of the row whose request each row shares."""
        return [
            msgspec.structs.replace(outcome, added=self._values(row, index, line))
            for row, index, line, outcome in zip(rows, sent, lines, outcomes, strict=True)
        ]

    def _values(self, row: StoredRow, index: int | None, line: bytes | None) -> tuple[Any, ...]:
        if index is None:
            return ()
        answer = _Answer(self._own_id(row, index), is_shared=_is_shared(row), prices=self._prices)
        if line is not None and self._needs_line:
            answer.read(line)
        return tuple(read(answer) for read in self._read)


def _is_shared(row: StoredRow) -> bool:
    """Return whether another row's request was paid for the row's answer."""
    return row.same_as is not None and not row.is_drawn


class _Answer:
    """One result line: its message as plain values, and what the row knows beside it."""

    def __init__(self, own_id: str, *, is_shared: bool, prices: PriceTable) -> None:
        self.custom_id = own_id
        self.is_shared = is_shared
        self.prices = prices
        self.line = b""
        self.record: dict[str, Any] = {}
        self.result: dict[str, Any] = {}
        self.message: dict[str, Any] = {}

    def read(self, line: bytes) -> None:
        """Decode a line; one that breaks the API's format is decoded as far as it can be."""
        self.line = line
        try:
            self.record = msgspec.json.decode(line, type=dict[str, Any])
        except ODD:
            record = next(records_of(line), None)
            self.record = {} if record is None else msgspec.json.decode(record.line, type=dict[str, Any])
        self.result = _mapping(self.record.get("result"))
        self.message = _mapping(self.result.get("message"))

    @property
    def is_remembered(self) -> bool:
        """Return whether the answer comes from the answer store."""
        return "remembered" in self.record

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """Return the content blocks."""
        content = self.message.get("content")
        return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _thinking(answer: _Answer) -> str | None:
    thoughts = (_text(block.get("thinking")) for block in answer.blocks if block.get("type") == "thinking")
    return "\n\n".join(filter(None, thoughts)) or None


def _citations(answer: _Answer) -> list[dict[str, Any]] | None:
    """Return each text block that has citations, with them."""
    cited = [block for block in answer.blocks if block.get("type") == "text" and block.get("citations")]
    return [{"text": block.get("text"), "citations": block["citations"]} for block in cited] or None


def _tool_use(answer: _Answer) -> list[dict[str, Any]] | None:
    """Return the calls of tools, their results, and uploaded files, in order and as the API gave them."""
    return [block for block in answer.blocks if _is_of_tool(str(block.get("type", "")))] or None


def _is_of_tool(kind: str) -> bool:
    return kind.endswith(("tool_use", "_tool_result")) or kind == "container_upload"


def _cost(answer: _Answer) -> float | None:
    """Return the answer's dollars; None where nothing was paid or it is unknown.

    They are 0 where another row or an earlier job paid for it.
    """
    heads = heads_of(answer.line) if answer.message else []
    if not heads or heads[0].result.message is None:
        return None
    if answer.is_shared or answer.is_remembered:
        return 0.0
    message = heads[0].result.message
    tokens = unit_of(message)
    tokens.add([message.usage])
    usd = dollars([tokens], answer.prices)
    return None if usd is None else float(usd)


def _answered_at(answer: _Answer) -> str | None:
    """Return when the file was uploaded whose job paid for a remembered answer; None for an answer of this job."""
    at = _mapping(answer.record.get("remembered")).get("at")
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(at, int) else None


def _request_id(answer: _Answer) -> str | None:
    """Return the response's id. Results of a Message Batch have it only in errors."""
    return _text(answer.record.get("request_id")) or _text(_mapping(answer.result.get("error")).get("request_id"))


_READERS: dict[str, Callable[[_Answer], Any]] = {
    "thinking": _thinking,
    "citations": _citations,
    "tool_use": _tool_use,
    "usage": lambda answer: answer.message.get("usage") or None,
    "cost": _cost,
    "stop_reason": lambda answer: _text(answer.message.get("stop_reason")),
    "model": lambda answer: _text(answer.message.get("model")),
    "request_id": _request_id,
    "custom_id": lambda answer: answer.custom_id,
    "answered_at": _answered_at,
    "answered_by": lambda answer: _text(_mapping(answer.record.get("remembered")).get("recipe")),
}
