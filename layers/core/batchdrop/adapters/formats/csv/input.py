"""Read CSV and TSV, in RFC 4180 and in spreadsheets' variants. Each row keeps its own text."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from itertools import repeat
from typing import Any

from batchdrop.adapters.formats.csv.begin import DelimitedFile, begin
from batchdrop.adapters.formats.csv.dialect import Dialect
from batchdrop.adapters.formats.csv.options import CsvOptions
from batchdrop.adapters.formats.csv.records import Record, RecordReader, Records
from batchdrop.adapters.formats.csv.row_width import RowWidth
from batchdrop.adapters.formats.headers import column_names
from batchdrop.adapters.formats.text.beginning import Beginning, TextFile, kept, read_again
from batchdrop.adapters.formats.text.encodings import Encoding, encode
from batchdrop.adapters.formats.text.lines import split_lines, without_line_end
from batchdrop.answers.columns import RAW
from batchdrop.ports import Source
from batchdrop.requests.row import EMPTY_ROW, Cursor, Row

_FOUND = CsvOptions()
SPACES = " \t\r\n"  # a cell of nothing else is empty


class CsvInput:
    """Reads delimited values.

    `header` is the result of an earlier reading; if it is empty, the file is read. A line `sep=;` before the header
    overrides the options' delimiter, like a byte order mark overrides an encoding. A row's `raw` is its own text, with
    as many cells as the header: empty ones at its end are cut off, or added where the options say so.
    """

    sidecar = None  # a row's text is exact

    def __init__(self, filename: str, header: str = "", *, name: str = "csv", options: CsvOptions = _FOUND) -> None:
        self.name = name
        self._filename = filename
        self._options = options
        self._file = TextFile(filename, options.encoding, header)
        self._columns: list[str] = []
        self._notes: list[str] = []
        self._beginning = read_again(header)
        if self._beginning:
            self._begin_with(self._beginning)

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns, or the recipe's; one without a name is `column_3`, counted from 1."""
        return self._columns

    @property
    def header(self) -> str:
        """Return the file's beginning, once it is known."""
        return kept(self._beginning) if self._beginning else ""

    @property
    def notes(self) -> list[str]:
        """Return what was found in the file's first lines, for people."""
        return [*(self._beginning.notes if self._beginning else []), *self._notes]

    @property
    def dialect(self) -> Dialect:
        """Return the file's dialect."""
        found = self._beginning or Beginning(delimiter=self._options.delimiter or ",")
        line_end = found.line_end or ("\r\n" if found.text.endswith("\r\n") else "\n")
        return Dialect(found.delimiter, line_end, self._options.escape, found.spaced)

    @property
    def encoding(self) -> Encoding:
        """Return the file's encoding."""
        return self._file.encoding

    @property
    def is_headless(self) -> bool:
        """Return whether neither the file nor the recipe names the columns."""
        return self._options.header is False

    def own_header_in(self, encoding: Encoding) -> bytes:
        """Return all before the rows, without byte order mark and last line end.

        In the file's own encoding, these are its exact bytes.
        """
        beginning, is_own = self._beginning or Beginning(), encoding.name == self.encoding.name
        over = beginning.skipped
        if not is_own:
            over = encode(over.decode(self.encoding.name, "replace"), encoding)
        over = encode(beginning.declared, encoding) + over
        if self.is_headless:
            return over
        if self._options.header:
            return over + encode(self.dialect.record(self._columns), encoding)
        if beginning.exact is not None and is_own:
            return over + beginning.exact
        return over + encode(without_line_end(beginning.text), encoding)

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the header, if `start` is before it, and return the rows after `start`.

        Raises UploadRejected for a wrong encoding, a header that cannot be used, or a quote that is never closed.
        """
        blocks = self._file.blocks(source, start)
        lines = split_lines(blocks, offset=start.offset, filename=self._filename, encoding=self.encoding)
        if self._beginning is None:
            self._beginning, reader = begin(
                DelimitedFile(self._filename, self.name, self.encoding, self._options), lines
            )
            self._begin_with(self._beginning)
        else:
            reader = RecordReader(lines, start, filename=self._filename, dialect=self.dialect, encoding=self.encoding)
        return self._rows(reader, blocks)

    def cells(self, raw: str) -> dict[str, Any]:
        """Return a stored row's cells. A row that does not fit the header has as many as it has, and its text."""
        cells = self.dialect.cells(raw)
        named = dict(zip(self._columns, cells, strict=False))
        return named if len(cells) == len(self._columns) else {**named, RAW: raw}

    def fitted(self, raw: str) -> str:
        """Return a row's text, with as many cells as the header."""
        cells, width = self.dialect.cells(raw), len(self._columns)
        if len(cells) == width:
            return raw
        return self.dialect.record(cells[:width] + [""] * (width - len(cells)))

    def _begin_with(self, beginning: Beginning) -> None:
        if self._options.header:
            titles = list(self._options.header)
        elif self.is_headless:
            titles = [f"column_{number}" for number in range(1, beginning.cells + 1)]
        else:
            titles = self.dialect.cells(without_line_end(beginning.text))
        self._columns, self._notes = column_names(titles)
        self._blank = f'{beginning.delimiter}{SPACES}"'  # a row of nothing else may be empty
        self._width = RowWidth(
            self.dialect,
            len(titles),
            unnamed=[not title.strip() for title in titles],
            fills=self._options.ragged == "fill",
        )

    def _rows(self, reader: RecordReader, blocks: Generator[bytes, None, None]) -> Generator[list[Row], None, None]:
        with closing(blocks):
            for records in reader:
                yield self._rows_of(records)

    def _rows_of(self, records: Records) -> list[Row]:
        """Return the same rows as `_row`, many times faster."""
        raws = [text.rstrip("\r\n") for text in records.texts]  # like `without_line_end`, without a call per row
        named = map(dict, map(zip, repeat(self._columns), records.cells))
        rows = list(map(Row, raws, records.starts, named))
        for odd in self._odd(records, raws):
            rows[odd] = self._row(Record._make(own[odd] for own in records))
        return rows

    def _odd(self, records: Records, raws: list[str]) -> list[int]:
        """Return the records that have an error, the wrong number of cells, no text, or bytes of their own."""
        width = len(self._columns)
        texts = list(map(str.strip, raws, repeat(self._blank)))
        if not any(records.errors) and not any(records.exacts) and all(texts) and {*map(len, records.cells)} == {width}:
            return []
        each = enumerate(zip(records.cells, records.errors, records.exacts, texts, strict=True))
        return [
            at
            for at, (cells, error, exact, text) in each
            if error or exact is not None or len(cells) != width or not text
        ]

    def _row(self, record: Record) -> Row:
        text, cells, start, error, exact = record
        raw = without_line_end(text)
        if exact is not None:
            exact = exact[: len(exact) - len(encode(text[len(raw) :], self.encoding))]
        if not error and len(cells) != len(self._columns):
            fit = self._width.fit(raw, cells)
            if fit is None:
                error = self._width.misfit(raw, cells)
            else:
                exact = fit.exact(exact, self.encoding)
                raw, cells = fit.raw, fit.cells
        if not error and not any(cell.strip(SPACES) for cell in cells):
            error = EMPTY_ROW
        return Row(raw, start, {} if error else dict(zip(self._columns, cells, strict=True)), error, exact=exact)
