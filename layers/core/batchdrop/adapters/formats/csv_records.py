"""Delimited records over lines: the csv module's cells, with the text and the place that each record came from."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import NoReturn

import msgspec

from batchdrop.adapters.formats.encodings import BOM, Encoding
from batchdrop.adapters.formats.lines import Line, Undecodable
from batchdrop.domain.row import Cursor
from batchdrop.errors import UploadRejected


class Record(msgspec.Struct, frozen=True):  # one a row: a NamedTuple takes three times as long to make
    """A record: its text with its line end, its cells, and where it starts. `error` says why it has no cells.

    `exact` holds its bytes where encoding the text would give others.
    """

    text: str
    cells: list[str]
    start: Cursor
    error: str | None
    exact: bytes | None


class Records:
    """Runs the csv module over lines. Empty lines are no records, and are counted as lines."""

    def __init__(
        self, chunks: Iterator[Iterable[Line]], start: Cursor, *, filename: str, delimiter: str, encoding: Encoding
    ) -> None:
        self._filename = filename
        self._encoding = encoding
        self._chunks = chunks
        self._pending: list[Line] = []  # those that are not part of a record yet
        self._at = 0
        self._exhausted = False
        self._reader = csv.reader(chain.from_iterable(self._texts()), delimiter=delimiter)
        self._line_count = start.lines
        self._rows = start.rows

    def header(self) -> Record | None:
        """Take the first record for the header; None if the file has none."""
        record = next(iter(self), None)
        if record is not None and record.error:
            message = f"{self._filename}: the header cannot be read: {record.error}"
            raise UploadRejected(message)
        self._rows = 0
        return record

    def __iter__(self) -> Generator[Record, None, None]:
        """Yield the records that are left. Raises UploadRejected where the file ends within quotes."""
        reader = self._reader
        seen = reader.line_num
        while True:
            error = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                cells, error = [], self._explain(problem)
            except Undecodable as problem:
                message = f"{self._filename} {self._place()}: {problem}"
                raise UploadRejected(message) from problem
            if self._exhausted:  # the reader asked for another line in the middle of a record
                self._refuse_unclosed()
            count, seen = reader.line_num - seen, reader.line_num
            first = self._pending[self._at]
            text, exact = (first.text, first.exact) if count == 1 else self._joined(count)
            self._at += count
            if cells or error:  # else an empty line
                start = Cursor(first.offset, self._rows, self._line_count)
                self._rows += 1
                self._line_count += count
                yield Record(text, cells, start, error, exact)
            else:
                self._line_count += count

    def _texts(self) -> Iterator[list[str]]:
        """Yield the lines' texts, those of a block together; what is wrong with one comes after those before it."""
        for chunk in self._chunks:
            lines: list[Line] = []
            trouble = None
            try:
                lines.extend(chunk)  # those before an error stay
            except (Undecodable, UploadRejected) as error:
                trouble = error
            self._pending = self._pending[self._at :] + lines
            self._at = 0
            texts = [line.text for line in lines]
            if lines and lines[0].offset == 0:
                texts[0] = texts[0].removeprefix(BOM)
            yield texts
            if trouble is not None:
                raise trouble
        self._exhausted = True

    def _joined(self, count: int) -> tuple[str, bytes | None]:
        lines = self._pending[self._at : self._at + count]
        exact = None
        if any(line.exact is not None for line in lines):
            name = self._encoding.name
            exact = b"".join(line.text.encode(name) if line.exact is None else line.exact for line in lines)
        return "".join(line.text for line in lines), exact

    def _explain(self, problem: csv.Error) -> str:
        if "field larger than field limit" in str(problem):
            self._refuse_unclosed()
        if "new-line character" in str(problem):
            return "it has a carriage return outside quotes; save the file with line ends of one kind"
        return f"it is not CSV: {problem}"

    def _refuse_unclosed(self) -> NoReturn:
        message = (
            f"{self._filename} {self._place()}: a quoted cell opens in this row and never closes. "
            "Close the quote, or double a quote that is part of the text, and drop the file again"
        )
        raise UploadRejected(message)

    def _place(self) -> str:
        return f"row {self._rows + 1} (line {self._line_count + 1})"
