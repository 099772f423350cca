"""Read JSON Lines: one object per line. Each row keeps its own text."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Generator
from contextlib import closing
from itertools import repeat
from typing import Any

import msgspec

from batchdrop.adapters.formats.json.repaired import repaired
from batchdrop.adapters.formats.json.row_lines import RowLines, row_lines
from batchdrop.adapters.formats.text.beginning import InTextFile, TextFile
from batchdrop.answers.columns import ERROR, RAW, ROW, STATUS
from batchdrop.ports import Source
from batchdrop.requests.row import Cursor, Row

SHOWN = 20  # characters of a number in a message
_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*+"|(-?\d[-+.\deE]*)')
FAILED_ROW = (STATUS, ERROR, RAW)  # the columns of a failed.jsonl that is dropped again


class JsonlInput(InTextFile):
    """Reads lines of JSON objects. `reserved` are the names of the output's new columns."""

    name = "jsonl"
    columns: list[str] | None = None

    def __init__(
        self, filename: str, reserved: Collection[str], header: str = "", *, encoding: str | None = None
    ) -> None:
        self._file = TextFile(filename, encoding, header)
        self._objects = ObjectRows(reserved, what="line")

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read one row per line, skipping blank lines. Raises UploadRejected if the file has another encoding."""
        return self._rows(row_lines(self._file, source, start, trimmed=str.strip))

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return a stored row's fields; None if it is not an object."""
        return self._objects.cells(raw)

    def _rows(self, found: Generator[RowLines, None, None]) -> Generator[list[Row], None, None]:
        with closing(found):
            for lines in found:
                yield self._objects.rows(lines)


class ObjectRows:
    """Makes rows from the text of JSON objects. Messages call a row `what`: a line, an element."""

    def __init__(self, reserved: Collection[str], *, what: str) -> None:
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self._reserved = frozenset(reserved).difference(FAILED_ROW)
        self._looked_for = self._reserved.union(FAILED_ROW)
        self._what = what

    def rows(self, lines: RowLines) -> list[Row]:
        """Return the rows of these objects' texts."""
        try:
            cells = list(map(self._decoder.decode, lines.raws))
        except (msgspec.DecodeError, RecursionError):
            return list(map(self.row, *lines))
        if not all(map(self._looked_for.isdisjoint, cells)):
            return list(map(self.row, *lines))
        return list(map(Row, lines.raws, lines.starts, cells, repeat(None), repeat(()), repeat(None), lines.exacts))

    def row(self, raw: str, start: Cursor, exact: bytes | None = None) -> Row:
        """Return the row of an object's text; the row has an error if the text is not a usable object.

        NaN and infinities become null, half surrogate pairs U+FFFD, in the text too: no reader of JSON takes them.
        """
        cells: dict[str, Any] = {}
        error = None
        try:
            cells, raw, exact = self._decoded(raw, exact)
        except (msgspec.DecodeError, RecursionError) as problem:
            error = self._explain(problem, raw)
        _drop_failed(cells)
        if taken := self._reserved.intersection(cells):
            fix = "rename it, or set `output: {prefix: …}` in the recipe"
            error = f"it has a field '{min(taken)}', which is the name of an output column; {fix}"
        return Row(raw, start, {} if error else cells, error, (), None, exact)

    def cells(self, raw: str) -> dict[str, Any] | None:
        """Return the fields of an object's text; None if it is not an object."""
        try:
            cells = self._decoder.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return None
        _drop_failed(cells)
        return cells

    def _decoded(self, raw: str, exact: bytes | None) -> tuple[dict[str, Any], str, bytes | None]:
        try:
            return self._decoder.decode(raw), raw, exact
        except msgspec.DecodeError:
            fixed = repaired(raw)
            if fixed == raw:
                raise
            return self._decoder.decode(fixed), fixed, None

    def _explain(self, problem: Exception, raw: str) -> str:
        if "Expected `object`" in str(problem):
            return f"the {self._what} is not a JSON object"
        if "out of range" in str(problem):
            return f"a number of the {self._what} is larger than any 64-bit float{_largest(raw)}; write it as text"
        return f"the {self._what} is not JSON: {problem}"


def _drop_failed(cells: dict[str, Any]) -> None:
    """Drop what failed.jsonl says about a row. `_row` is the file's own column if the line has no `_status`."""
    if STATUS in cells:
        cells.pop(ROW, None)
    for name in FAILED_ROW:
        cells.pop(name, None)


def _largest(raw: str) -> str:
    """Return the first number that no float holds, for a message."""
    for match in _NUMBER.finditer(raw):
        if match[1] and math.isinf(float(match[1])):
            shown = match[1] if len(match[1]) <= SHOWN else match[1][:SHOWN] + "…"
            return f" ({shown})"
    return ""
