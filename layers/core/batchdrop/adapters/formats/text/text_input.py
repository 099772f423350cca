"""Read text: one row per line, with one column."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

from batchdrop.adapters.formats.json.row_lines import RowLines, row_lines
from batchdrop.adapters.formats.text.beginning import InTextFile, TextFile
from batchdrop.adapters.formats.text.lines import without_line_end
from batchdrop.ports import Source
from batchdrop.requests.row import Cursor, Row

COLUMN = "text"


class TextInput(InTextFile):
    """Reads each line as a row with the column `text`; blank lines are skipped."""

    name = "txt"
    columns: list[str] | None = [COLUMN]  # noqa: RUF012 - never changed

    def __init__(self, filename: str, header: str = "", *, encoding: str | None = None) -> None:
        self._file = TextFile(filename, encoding, header)

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read one row per line. Raises UploadRejected if the file has another encoding."""
        return _rows(row_lines(self._file, source, start, trimmed=_trimmed))

    def cells(self, raw: str) -> dict[str, Any]:
        """Return a stored row's only cell."""
        return {COLUMN: raw}


def _rows(found: Generator[RowLines, None, None]) -> Generator[list[Row], None, None]:
    with closing(found):
        for lines in found:
            yield [Row(raw, start, {COLUMN: raw}, exact=exact) for raw, start, exact in zip(*lines, strict=True)]


def _trimmed(line: str) -> str:
    return "" if line.isspace() else without_line_end(line)
