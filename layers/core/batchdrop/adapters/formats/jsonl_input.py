"""JSON Lines in: one object a line. A row's own text is kept."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import closing
from typing import Any

import msgspec

from batchdrop.adapters.formats.lines import BOM, NotUtf8, split_lines
from batchdrop.domain.answer import ERROR, RAW, STATUS
from batchdrop.domain.row import Cursor, Row
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source

FAILED_ROW = (STATUS, ERROR, RAW)  # a failed.jsonl that is dropped in again brings them


class JsonlInput:
    """Reads lines of JSON objects. `reserved` are the names of the output's new columns."""

    name = "jsonl"
    columns: list[str] | None = None
    header = ""
    sidecar = None  # a row's text is exact

    def __init__(self, filename: str, reserved: Collection[str]) -> None:
        self._filename = filename
        self._objects = ObjectRows(reserved)

    def rows(self, source: Source, start: Cursor) -> Generator[Row, None, None]:
        """Read one row a line; blank lines are none. Raises UploadRejected where the file is not UTF-8."""
        number, line_number = start.rows, start.lines
        with closing(source.blocks(start.offset)) as blocks:
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
                    yield self._objects.row(raw, Cursor(line.offset, number, line_number))
                    number += 1
                line_number += 1

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's fields; None if it is no object."""
        return self._objects.cells(raw)


class ObjectRows:
    """Makes rows of the text of JSON objects."""

    def __init__(self, reserved: Collection[str]) -> None:
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self._reserved = frozenset(reserved).difference(FAILED_ROW)

    def row(self, raw: str, start: Cursor) -> Row:
        """Return the row of an object's text; text that is no usable object is a row with an error."""
        try:
            cells = self._decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError) as problem:
            if "Expected `object`" in str(problem):
                return Row(raw, start, error="the line is not a JSON object")
            return Row(raw, start, error=f"the line is not JSON: {problem}")
        for name in FAILED_ROW:
            cells.pop(name, None)
        if taken := self._reserved.intersection(cells):
            fix = "rename it, or set `output: {prefix: …}` in the recipe"
            return Row(raw, start, error=f"it has a field '{min(taken)}', which is where the output goes; {fix}")
        return Row(raw, start, cells)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return the fields of an object's text; None if it is none."""
        try:
            cells = self._decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return None
        for name in FAILED_ROW:
            cells.pop(name, None)
        return cells
