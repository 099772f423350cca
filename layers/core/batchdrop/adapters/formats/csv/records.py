"""Split lines into delimited records. Each record has cells, its own text and its place."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, NoReturn

from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.text.encodings import BOM, Encoding
from batchdrop.adapters.formats.text.lines import Lines, Undecodable
from batchdrop.errors import UploadRejected
from batchdrop.requests.chunking import chunks
from batchdrop.requests.row import Cursor

_EMPTY_LINE = "\n"


class Record(NamedTuple):
    """A record: its text with the line end, its cells, and its start. `error` is set if it has no cells.

    `exact` holds its bytes if encoding the text would give others.
    """

    text: str
    cells: list[str]
    start: Cursor
    error: str | None
    exact: bytes | None


class Records(NamedTuple):
    """Consecutive records."""

    texts: list[str]
    cells: list[list[str]]
    starts: list[Cursor]
    errors: list[str | None]
    exacts: list[bytes | None]


class RecordReader:
    """Runs the csv module over lines. Empty lines count as lines, but not as records."""

    def __init__(
        self, lines: Iterator[Lines], start: Cursor, *, filename: str, dialect: Dialect, encoding: Encoding
    ) -> None:
        self._filename = filename
        self._encoding = encoding
        self._lines = lines
        self._dialect = dialect
        self._pending = Lines([], [], [])  # lines that are not part of a record yet
        self._at = 0
        self._exhausted = False
        self._spanned = False
        self._begun: Generator[Record, None, None] | None = None
        self._line_count = start.lines
        self._rows = start.rows

    def header(self) -> Record | None:
        """Return the first record as the header; None if the file has none."""
        self._begun = self._one_by_one()
        record = next(self._begun, None)
        if record is not None and record.error:
            message = f"{self._filename}: the header cannot be read: {record.error}"
            raise UploadRejected(message)
        self._rows = 0
        return record

    def __iter__(self) -> Generator[Records, None, None]:
        """Yield the remaining records. Raises UploadRejected if the file ends within quotes."""
        if self._begun is not None:
            yield from _together(self._begun)
        while (lines := self._next_lines()) is not None:
            records = self._line_by_line(lines)
            if records is None:
                yield from _together(self._one_by_one(lines))
            else:
                yield records

    def _next_lines(self) -> Lines | None:
        try:
            return next(self._lines, None)
        except Undecodable as problem:
            self._refuse(problem)

    def _line_by_line(self, lines: Lines) -> Records | None:
        """Return one record for each line, several times as fast; None if a record has more than one line."""
        texts = _without_mark(lines)
        try:  # an empty line after them joins the last record if that has an open quote
            cells = list(self._dialect.reader(chain(texts, (_EMPTY_LINE,))))
        except csv.Error:
            return None
        count = len(texts)
        if len(cells) != count + 1 or cells.pop() or not all(cells):
            return None
        rows, line_count = self._rows, self._line_count
        self._rows += count
        self._line_count += count
        starts = map(Cursor, lines.offsets, range(rows, self._rows), range(line_count, self._line_count))
        return Records(lines.texts, cells, list(starts), [None] * count, lines.exacts)

    def _one_by_one(self, *lines: Lines) -> Generator[Record, None, None]:
        """Yield the records of these lines and the following ones, until a line ends a record again.

        It continues while records have several lines: where there is one, more follow.
        """
        self._pending, self._at = Lines([], [], []), 0
        reader = self._dialect.reader(chain.from_iterable(self._texts(lines)))
        seen = 0
        while True:
            error = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                cells, error = [], self._explain(problem)
            except Undecodable as problem:
                self._refuse(problem)
            if self._exhausted:  # the record has no end
                self._refuse_unclosed()
            count, seen = reader.line_num - seen, reader.line_num
            start = Cursor(self._pending.offsets[self._at], self._rows, self._line_count)
            text, exact = self._taken(count)
            if cells or error:  # otherwise it is an empty line
                self._rows += 1
                yield Record(text, cells, start, error, exact)

    def _texts(self, first: Iterable[Lines]) -> Iterator[list[str]]:
        for lines in chain(first, self._lines):
            texts = _without_mark(lines)
            self._append_pending(lines)
            yield texts
            if self._at == len(self._pending.texts) and not self._spanned:
                return
            self._spanned = False
        self._exhausted = True

    def _append_pending(self, lines: Lines) -> None:
        """Append these lines to the pending ones."""
        pending, at = self._pending, self._at
        del pending.offsets[:at], pending.texts[:at], pending.exacts[:at]
        pending.offsets.extend(lines.offsets)
        pending.texts.extend(lines.texts)
        pending.exacts.extend(lines.exacts)
        self._at = 0

    def _taken(self, count: int) -> tuple[str, bytes | None]:
        """Return the text of the next `count` lines, and their bytes if encoding the text would give others."""
        begin, self._at = self._at, self._at + count
        texts, exacts = self._pending.texts[begin : self._at], self._pending.exacts[begin : self._at]
        self._line_count += count
        self._spanned = self._spanned or count > 1
        exact = None
        if any(exacts):
            name = self._encoding.name
            each = zip(texts, exacts, strict=True)
            exact = b"".join(text.encode(name) if exact is None else exact for text, exact in each)
        return "".join(texts), exact

    def _explain(self, problem: csv.Error) -> str:
        if "field larger than field limit" in str(problem):
            self._refuse_unclosed()
        if "new-line character" in str(problem):
            return "it has a carriage return outside quotes; save the file with one kind of line end"
        return f"it is not CSV: {problem}"

    def _refuse_unclosed(self) -> NoReturn:
        message = (
            f"{self._filename} {self._place()}: a quoted cell starts in this row and never ends. "
            "Close the quote, or double each quote that is part of the text, and drop the file again"
        )
        raise UploadRejected(message)

    def _refuse(self, problem: Undecodable) -> NoReturn:
        message = f"{self._filename} {self._place()}: {problem}"
        raise UploadRejected(message) from problem

    def _place(self) -> str:
        return f"row {self._rows + 1} (line {self._line_count + 1})"


def _without_mark(lines: Lines) -> list[str]:
    """Return the texts of lines, without the file's byte order mark."""
    if lines.offsets[0]:
        return lines.texts
    return [lines.texts[0].removeprefix(BOM), *lines.texts[1:]]


def _together(records: Generator[Record, None, None]) -> Iterator[Records]:
    for some in chunks(records, lambda record: len(record.text)):
        yield Records._make(map(list, zip(*some, strict=True)))
