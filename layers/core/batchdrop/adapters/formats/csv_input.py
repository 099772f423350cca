"""CSV in, as RFC 4180 and spreadsheets write it. A row's own text is kept."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from batchdrop.adapters.formats.dialect import Dialect
from batchdrop.adapters.formats.lines import BOM, Line, NotUtf8, split_lines, without_line_end
from batchdrop.domain.answer import RAW
from batchdrop.domain.row import Cursor, Row
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source


class CsvInput:
    """Reads comma-separated values.

    `header` is the header's own text where an earlier reading found it; empty to read it from the file.
    """

    sidecar = None  # a row's text is exact

    def __init__(self, filename: str, header: str = "", *, name: str = "csv", delimiter: str = ",") -> None:
        self.name = name
        self.header = header
        self._filename = filename
        self._delimiter = delimiter
        self._columns: list[str] = self._parse_header() if header else []

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns; a column without a name is `column_3`, counted from 1."""
        return self._columns

    @property
    def dialect(self) -> Dialect:
        """Return how the file is written."""
        return Dialect(self._delimiter, "\r\n" if self.header.endswith("\r\n") else "\n")

    def rows(self, source: Source, start: Cursor) -> Generator[Row, None, None]:
        """Read the header, if `start` is before it, and return the rows after it.

        Raises UploadRejected for a file that is not UTF-8, has no usable header, or never closes a quote.
        """
        blocks = source.blocks(start.offset)
        lines = split_lines(blocks, offset=start.offset, filename=self._filename)
        records = _Records(lines, start, self._filename, self._delimiter)
        if not self.header:
            self.header = records.header()
            self._columns = self._parse_header()
        return self._rows(records, blocks)

    def cells(self, raw: str) -> dict[str, Any]:
        """Return a stored row's cells; of a row that does not fit the header, as many as it has, and its text."""
        cells = self.dialect.cells(raw)
        named = dict(zip(self._columns, cells, strict=False))
        return named if len(cells) == len(self._columns) else {**named, RAW: raw}

    def fitted(self, raw: str) -> str:
        """Return a row's text with as many cells as the header has."""
        cells = self.dialect.cells(raw)[: len(self._columns)]
        return self.dialect.record(cells + [""] * (len(self._columns) - len(cells)))

    def _rows(self, records: _Records, blocks: Generator[bytes, None, None]) -> Generator[Row, None, None]:
        columns, width = self._columns, len(self._columns)
        with closing(blocks):
            for record in records:
                text = without_line_end(record.text)
                if record.error or len(record.cells) != width:
                    reason = record.error or f"it has {len(record.cells)} cells, the header has {width} columns"
                    yield Row(text, record.start, error=reason)
                else:
                    yield Row(text, record.start, dict(zip(columns, record.cells, strict=True)))

    def _parse_header(self) -> list[str]:
        cells = self.dialect.cells(self.header.removeprefix(BOM))
        if not cells:
            message = f"{self._filename}: the file is empty; a CSV file starts with a header line"
            raise UploadRejected(message)
        columns = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
        for number, column in enumerate(columns):
            if column in columns[:number]:
                message = f"{self._filename}: two columns are named '{column}' in the header; rename one of them"
                raise UploadRejected(message)
        return columns


class _Record:
    """A CSV record: its text, its cells, and where it starts. `error` says why it has no cells."""

    __slots__ = ("cells", "error", "start", "text")

    def __init__(self, text: str, cells: list[str], start: Cursor, error: str | None = None) -> None:
        self.text, self.cells, self.start, self.error = text, cells, start, error


class _Records:
    """Runs the csv module over lines, and remembers the text that each record was read from."""

    def __init__(self, lines: Iterator[Line], start: Cursor, filename: str, delimiter: str) -> None:
        self._lines = lines
        self._filename = filename
        self._taken: list[Line] = []
        self._exhausted = False
        self._reader = csv.reader(self._feed(), delimiter=delimiter)
        self._line_count = start.lines
        self._rows = start.rows

    def header(self) -> str:
        """Take the first record for the header and return its text; empty if the file has none."""
        record = next(iter(self), None)
        if record is not None and record.error:
            message = f"{self._filename}: the header cannot be read: {record.error}"
            raise UploadRejected(message)
        self._rows = 0
        return record.text if record else ""

    def __iter__(self) -> Iterator[_Record]:
        while (record := self._next()) is not None:
            if record.cells or record.error:  # else an empty line, which is no row
                self._rows += 1
                yield record

    def _feed(self) -> Iterator[str]:
        for line in self._lines:
            self._taken.append(line)
            yield line.text.removeprefix(BOM) if line.offset == 0 else line.text
        self._exhausted = True

    def _next(self) -> _Record | None:
        cells: list[str] = []
        error = None
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except NotUtf8 as problem:
            message = f"{self._filename} {self._place()}: {problem}"
            raise UploadRejected(message) from problem
        except csv.Error as problem:
            error = self._explain(problem)
        if self._exhausted:  # the reader asked for another line in the middle of a record
            self._refuse_unclosed()
        return self._record(cells, error)

    def _record(self, cells: list[str], error: str | None) -> _Record:
        text = "".join(line.text for line in self._taken)
        start = Cursor(self._taken[0].offset, self._rows, self._line_count)
        self._line_count += len(self._taken)
        self._taken.clear()
        return _Record(text, cells, start, error)

    def _explain(self, problem: csv.Error) -> str:
        if "field larger than field limit" in str(problem):
            self._refuse_unclosed()
        if "new-line character" in str(problem):
            return "it has a carriage return outside quotes; save the file with line ends of one kind"
        return f"it is not CSV: {problem}"

    def _refuse_unclosed(self) -> None:
        message = (
            f"{self._filename} {self._place()}: a quoted cell opens in this row and never closes. "
            "Close the quote, or double a quote that is part of the text, and drop the file again"
        )
        raise UploadRejected(message)

    def _place(self) -> str:
        return f"row {self._rows + 1} (line {self._line_count + 1})"
