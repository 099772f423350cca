"""Read CSV and TSV, in RFC 4180 and in spreadsheets' variants. Each row keeps its own text."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain, repeat
from typing import Any

from batchdrop.adapters.formats.csv.dialect import Dialect, declared_delimiter, found_delimiter
from batchdrop.adapters.formats.csv.records import Record, RecordReader, Records
from batchdrop.adapters.formats.text.beginning import Beginning, TextFile, kept, read_again
from batchdrop.adapters.formats.text.encodings import BOM, Encoding, encode
from batchdrop.adapters.formats.text.lines import Lines, Undecodable, split_lines, without_line_end
from batchdrop.answers.columns import RAW
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source
from batchdrop.requests.row import Cursor, Row


class CsvInput:
    """Reads delimited values.

    `header` is the result of an earlier reading; if it is empty, the file is read. `delimiter` None: detect it in the
    file. A line `sep=;` before the header overrides it, like a byte order mark overrides an encoding.
    """

    sidecar = None  # a row's text is exact

    def __init__(
        self,
        filename: str,
        header: str = "",
        *,
        name: str = "csv",
        delimiter: str | None = None,
        encoding: str | None = None,
    ) -> None:
        self.name = name
        self._filename = filename
        self._named_delimiter = delimiter
        self._file = TextFile(filename, encoding, header)
        self._beginning = read_again(header)
        self._columns = self._parse_header(self._beginning) if self._beginning else []

    @property
    def columns(self) -> list[str] | None:
        """Return the header's columns; a column without a name is `column_3`, counted from 1."""
        return self._columns

    @property
    def header(self) -> str:
        """Return the file's beginning, once it is known."""
        return kept(self._beginning) if self._beginning else ""

    @property
    def dialect(self) -> Dialect:
        """Return the file's dialect."""
        beginning = self._beginning or Beginning(delimiter=self._named_delimiter or ",")
        return Dialect(beginning.delimiter, "\r\n" if beginning.text.endswith("\r\n") else "\n")

    @property
    def encoding(self) -> Encoding:
        """Return the file's encoding."""
        return self._file.encoding

    def own_header_in(self, encoding: Encoding) -> bytes:
        """Return the header without byte order mark and line end; in the file's own encoding, the exact bytes."""
        beginning = self._beginning or Beginning()
        if beginning.exact is not None and encoding.name == self.encoding.name:
            return encode(beginning.declared, encoding) + beginning.exact
        return encode(beginning.declared + without_line_end(beginning.text), encoding)

    def row_blocks(self, source: Source, start: Cursor) -> Generator[list[Row], None, None]:
        """Read the header, if `start` is before it, and return the rows after `start`.

        Raises UploadRejected for a wrong encoding, a header that cannot be used, or a quote that is never closed.
        """
        blocks = self._file.blocks(source, start)
        lines = split_lines(blocks, offset=start.offset, filename=self._filename, encoding=self.encoding)
        if self._beginning is None:
            reader = self._begin(lines, start)
        else:
            reader = self._reader(lines, start, self._beginning.delimiter)
        return self._rows(reader, blocks)

    def cells(self, raw: str) -> dict[str, Any]:
        """Return a stored row's cells. A row that does not fit the header has as many as it has, and its text."""
        cells = self.dialect.cells(raw)
        named = dict(zip(self._columns, cells, strict=False))
        return named if len(cells) == len(self._columns) else {**named, RAW: raw}

    def fitted(self, raw: str) -> str:
        """Return a row's text, with as many cells as the header."""
        cells = self.dialect.cells(raw)[: len(self._columns)]
        return self.dialect.record(cells + [""] * (len(self._columns) - len(cells)))

    def _rows(self, reader: RecordReader, blocks: Generator[bytes, None, None]) -> Generator[list[Row], None, None]:
        with closing(blocks):
            for records in reader:
                yield self._rows_of(records)

    def _rows_of(self, records: Records) -> list[Row]:
        """Return the same rows as `_row`, many times faster."""
        raws = [text.rstrip("\r\n") for text in records.texts]  # like `without_line_end`, without a call per row
        named = map(dict, map(zip, repeat(self._columns), records.cells))
        rows = list(map(Row, raws, records.starts, named))
        for odd in self._odd(records):
            rows[odd] = self._row(Record._make(own[odd] for own in records))
        return rows

    def _odd(self, records: Records) -> list[int]:
        """Return the records that have an error, the wrong number of cells, or bytes of their own."""
        width = len(self._columns)
        if not any(records.errors) and not any(records.exacts) and {*map(len, records.cells)} == {width}:
            return []
        each = enumerate(zip(records.cells, records.errors, records.exacts, strict=True))
        return [at for at, (cells, error, exact) in each if error or exact is not None or len(cells) != width]

    def _row(self, record: Record) -> Row:
        text, cells, start, error, exact = record
        raw, width = without_line_end(text), len(self._columns)
        if exact is not None:
            exact = self._trimmed(exact, text, raw)
        if len(cells) != width and not error:
            error = f"it has {len(cells)} cells, the header has {width} columns"
        return Row(raw, start, {} if error else dict(zip(self._columns, cells, strict=True)), error, exact=exact)

    def _trimmed(self, exact: bytes, text: str, raw: str) -> bytes:
        return exact[: len(exact) - len(encode(text[len(raw) :], self.encoding))]

    def _reader(self, lines: Iterator[Lines], start: Cursor, delimiter: str) -> RecordReader:
        return RecordReader(lines, start, filename=self._filename, delimiter=delimiter, encoding=self.encoding)

    def _begin(self, lines: Iterator[Lines], start: Cursor) -> RecordReader:
        """Read what precedes the first row, and return a reader of the records after it."""
        taken, at = self._first_lines(lines)
        first = taken[-1].texts[at].removeprefix(BOM) if taken else ""
        declared = declared_delimiter(first)
        if declared is None:
            delimiter = self._named_delimiter or found_delimiter(first)
            reader = self._reader(chain(taken, lines), start, delimiter)
            self._beginning = self._read(reader.header(), delimiter, "")
        else:
            read = sum(len(some.texts) for some in taken[:-1]) + at + 1
            reader = self._reader(chain(taken[-1].after(at + 1), lines), Cursor(start.offset, 0, read), declared)
            self._beginning = self._read(reader.header(), declared, first)
        self._columns = self._parse_header(self._beginning)
        return reader

    def _first_lines(self, lines: Iterator[Lines]) -> tuple[list[Lines], int]:
        """Return the lines up to the first that is not empty, and its index in the last block."""
        taken: list[Lines] = []
        try:
            for some in lines:
                taken.append(some)
                for at, text in enumerate(some.texts):
                    if without_line_end(text.removeprefix(BOM)):
                        return taken, at
        except Undecodable as problem:
            line = sum(len(some.texts) for some in taken) + 1
            message = f"{self._filename} header (line {line}): {problem}"
            raise UploadRejected(message) from problem
        return taken, 0

    def _read(self, header: Record | None, delimiter: str, declared: str) -> Beginning:
        if header is None:
            message = f"{self._filename}: the file is empty; a {self.name.upper()} file must start with a header line"
            raise UploadRejected(message)
        encoding, exact = self.encoding, header.exact
        if exact is not None:
            exact = self._trimmed(exact, header.text, without_line_end(header.text)).removeprefix(encoding.mark)
        text = header.text.removeprefix(BOM)
        return Beginning(encoding.name, encoding.marked, delimiter, declared, text, exact)

    def _parse_header(self, beginning: Beginning) -> list[str]:
        cells = Dialect(beginning.delimiter).cells(beginning.text)
        columns = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
        for number, column in enumerate(columns):
            if column in columns[:number]:
                message = f"{self._filename}: two columns are named '{column}' in the header; rename one of them"
                raise UploadRejected(message)
        return columns
