"""JSON Lines out: each row's own text where the input was JSON, then the new fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from batchdrop.adapters.formats.parts import copy
from batchdrop.domain.answer import ERROR, RAW, STATUS, NewColumns
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.row import StoredRow
from batchdrop.ports import InputFormat, Source, Writer

_texts = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonlOutput:
    """Writes lines of JSON objects."""

    extension = "jsonl"

    def __init__(self, reader: InputFormat, new: NewColumns) -> None:
        self._reader = reader
        self._new = new

    @contextmanager
    def part(self, target: Writer, sidecar: Source | None) -> Iterator[_JsonlPart]:  # noqa: ARG002 - the port's signature
        """Begin a shard's part."""
        yield _JsonlPart(target, self._reader, self._added)

    def assemble(self, parts: Iterable[Source], target: Writer) -> None:
        """Write the parts behind each other."""
        copy(parts, target)

    def _added(self, outcome: Outcome) -> dict[str, Any]:
        values = self._new.values(outcome.values, outcome.status, outcome.error, outcome.raw)
        return dict(zip(self._new.names, values, strict=True))


class FailedOutput(JsonlOutput):
    """Writes `failed.jsonl`: a row's own fields with the reason behind them, so that it can be dropped in again."""

    extension = "failed.jsonl"

    def _added(self, outcome: Outcome) -> dict[str, Any]:
        return {STATUS: outcome.status, ERROR: outcome.error}


class _JsonlPart:
    def __init__(self, target: Writer, reader: InputFormat, added: Callable[[Outcome], dict[str, Any]]) -> None:
        self._write = target.write
        self._reader = reader
        self._added = added

    def add(self, row: StoredRow, outcome: Outcome) -> None:
        """Write the row's own fields with the new ones behind them; text that has no fields stands in `_raw`."""
        self._write(object_with(self._reader, row, self._added(outcome)) + b"\n")


def object_with(reader: InputFormat, row: StoredRow, added: dict[str, Any]) -> bytes:
    """Return a row as the text of an object, with fields added. JSON values stay as they were, to the byte."""
    own = _own_text(row.raw, replaced=added.keys()) if reader.name in {"jsonl", "json"} else _own_cells(reader, row.raw)
    return (own[:-1] + b"," if own != b"{}" else b"{") + msgspec.json.encode(added)[1:]


def _own_cells(reader: InputFormat, raw: str) -> bytes:
    cells = reader.cells(raw)
    return msgspec.json.encode({RAW: raw} if cells is None else cells)


def _own_text(raw: str, *, replaced: Collection[str]) -> bytes:
    """Return an object's own text. Where a field must go, the others' values stay to the byte."""
    try:
        fields = _texts.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode({RAW: raw})
    if fields and fields.keys().isdisjoint(replaced):
        return raw.encode()
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in replaced})
