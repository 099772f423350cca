"""CSV, as RFC 4180 and spreadsheets write it. A row's own text is kept and never written anew."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

import msgspec

from batchdrop.adapters.formats.columns import ADDED, ERROR, RAW, STATUS, added_values
from batchdrop.adapters.formats.lines import BOM, Line, NotUtf8, split_lines, without_line_end
from batchdrop.domain.limits import MAX_CELL_CHARS
from batchdrop.domain.outcome import Outcome
from batchdrop.domain.row import Cursor, Row
from batchdrop.errors import UploadRejected

csv.field_size_limit(MAX_CELL_CHARS)

_MUST_QUOTE = frozenset(',"\r\n')


class CsvFormat:
    """Reads and joins comma-separated values.

    `header` is the header's own text where an earlier reading found it; empty to read it from the file.
    """

    extension = "csv"

    def __init__(self, filename: str, header: str = "") -> None:
        self._filename = filename
        self.header = header
        self._columns: list[str] = self._parse_header() if header else []

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns; a column without a name is `column_3`, counted from 1."""
        return self._columns

    def rows(self, blocks: Iterable[bytes], start: Cursor) -> Iterator[Row]:
        """Read the header, if `start` is before it, and return the rows after it.

        Raises UploadRejected for a file that is not UTF-8, has no usable header, or never closes a quote.
        """
        records = _Records(split_lines(blocks, offset=start.offset, filename=self._filename), start, self._filename)
        if not self.header:
            self.header = records.header()
            self._columns = self._parse_header()
        return self._rows(records)

    def output_header(self) -> bytes:
        """Return the header with the new columns after its own."""
        return (without_line_end(self.header) + "," + ",".join(ADDED) + self._line_end).encode()

    def output_row(self, raw: str, outcome: Outcome) -> bytes:
        """Return the row's own text with the new cells after it; a ragged row is made to fit the header first."""
        kept = raw if outcome.fate != "rejected" else self._fitted(raw)
        return (kept + "," + ",".join(map(_quoted, added_values(outcome))) + self._line_end).encode()

    def failed_line(self, raw: str, outcome: Outcome) -> bytes:
        """Return the row as a JSON object, so that `failed.jsonl` can be dropped in again."""
        cells = _cells(raw)
        fields = dict(zip(self._columns, cells, strict=False))
        if len(cells) != len(self._columns):
            fields[RAW] = raw
        return msgspec.json.encode({**fields, STATUS: outcome.status, ERROR: outcome.error}) + b"\n"

    @property
    def _line_end(self) -> str:
        return "\r\n" if self.header.endswith("\r\n") else "\n"

    def _rows(self, records: _Records) -> Iterator[Row]:
        columns, width = self._columns, len(self._columns)
        for record in records:
            if record.error or len(record.cells) != width:
                reason = record.error or f"it has {len(record.cells)} cells, the header has {width} columns"
                yield Row(without_line_end(record.text), record.start, error=reason)
            else:
                yield Row(without_line_end(record.text), record.start, dict(zip(columns, record.cells, strict=True)))

    def _parse_header(self) -> list[str]:
        cells = _cells(self.header.removeprefix(BOM))
        if not cells:
            message = f"{self._filename}: the file is empty; a CSV file starts with a header line"
            raise UploadRejected(message)
        columns = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
        for number, column in enumerate(columns):
            self._check_column(column, columns[:number])
        return columns

    def _check_column(self, column: str, earlier: list[str]) -> None:
        if column in earlier:
            message = f"{self._filename}: two columns are named '{column}' in the header; rename one of them"
            raise UploadRejected(message)
        if column in ADDED:
            message = (
                f"{self._filename}: the header has a column '{column}', which is where the output goes; "
                "rename it in the file and drop it again"
            )
            raise UploadRejected(message)

    def _fitted(self, raw: str) -> str:
        cells = _cells(raw)[: len(self._columns)]
        return ",".join(map(_quoted, cells + [""] * (len(self._columns) - len(cells))))


class _Record:
    """A CSV record: its text, its cells, and where it starts. `error` says why it has no cells."""

    __slots__ = ("cells", "error", "start", "text")

    def __init__(self, text: str, cells: list[str], start: Cursor, error: str | None = None) -> None:
        self.text, self.cells, self.start, self.error = text, cells, start, error


class _Records:
    """Runs the csv module over lines, and remembers the text that each record was read from."""

    def __init__(self, lines: Iterator[Line], start: Cursor, filename: str) -> None:
        self._lines = lines
        self._filename = filename
        self._taken: list[Line] = []
        self._exhausted = False
        self._reader = csv.reader(self._feed())
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


def _cells(text: str) -> list[str]:
    """Take one record's text apart; text that the csv module refuses is one cell."""
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [text]


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _MUST_QUOTE.intersection(cell) else cell
