"""JSON Lines: one object a line. A row's own text is kept; the new fields are written behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from batchdrop.adapters.formats.columns import ADDED, ANSWER, ERROR, RAW, STATUS, added_values
from batchdrop.adapters.formats.lines import BOM, NotUtf8, split_lines
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.row import Cursor, Row
from batchdrop.errors import UploadRejected

_OURS = (STATUS, ERROR, RAW)  # a failed.jsonl that is dropped in again brings them; they say nothing about the row


class JsonlFormat:
    """Reads and joins lines of JSON objects."""

    extension = "jsonl"
    columns: list[str] | None = None
    header = ""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self._texts = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def rows(self, blocks: Iterable[bytes], start: Cursor) -> Iterator[Row]:
        """Read one row a line; blank lines are none. Raises UploadRejected where the file is not UTF-8."""
        number, line_number = start.rows, start.lines
        lines = split_lines(blocks, offset=start.offset, filename=self._filename)
        while True:
            try:
                line = next(lines, None)
            except NotUtf8 as problem:
                message = f"{self._filename} row {number + 1} (line {line_number + 1}): {problem}"
                raise UploadRejected(message) from problem
            if line is None:
                return
            raw = line.text.removeprefix(BOM).strip()
            if raw:
                yield self._row(raw, Cursor(line.offset, number, line_number))
                number += 1
            line_number += 1

    def output_header(self) -> bytes:
        """Return nothing: the format has no header."""
        return b""

    def output_row(self, raw: str, outcome: Outcome) -> bytes:
        """Return the row's own text with the new fields behind it; text that is no object stands in `_raw`."""
        added = dict(zip(ADDED, added_values(outcome), strict=True))
        return self._extended(raw, added)

    def failed_line(self, raw: str, outcome: Outcome) -> bytes:
        """Return the row's own fields with the reason behind them."""
        return self._extended(raw, {STATUS: outcome.status, ERROR: outcome.error})

    def _row(self, raw: str, start: Cursor) -> Row:
        try:
            cells = self._decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError) as problem:
            if "Expected `object`" in str(problem):
                return Row(raw, start, error="the line is not a JSON object")
            return Row(raw, start, error=f"the line is not JSON: {problem}")
        for name in _OURS:
            cells.pop(name, None)
        if ANSWER in cells:
            return Row(raw, start, error=f"it has a field '{ANSWER}', which is where the output goes; rename it")
        return Row(raw, start, cells)

    def _extended(self, raw: str, added: dict[str, str]) -> bytes:
        own = self._own_text(raw, replaced=added.keys())
        return (own[:-1] + b"," if own != b"{}" else b"{") + msgspec.json.encode(added)[1:] + b"\n"

    def _own_text(self, raw: str, *, replaced: Collection[str]) -> bytes:
        """Return the row as an object's text. Where a field must go, the others' values stay to the byte."""
        try:
            fields = self._texts.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return msgspec.json.encode({RAW: raw})
        if fields and fields.keys().isdisjoint(replaced):
            return raw.encode()
        return msgspec.json.encode({name: value for name, value in fields.items() if name not in replaced})
