"""CSV and TSV in, as RFC 4180 and spreadsheets write them. A row's own text is kept."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any

from batchdrop.adapters.formats.beginning import Beginning, TextFile, kept, read_again
from batchdrop.adapters.formats.csv_records import Record, Records
from batchdrop.adapters.formats.dialect import Dialect, declared_delimiter, found_delimiter
from batchdrop.adapters.formats.encodings import BOM, Encoding, encode
from batchdrop.adapters.formats.lines import Line, Undecodable, split_chunks, without_line_end
from batchdrop.domain.answer import RAW
from batchdrop.domain.row import Cursor, Row
from batchdrop.errors import UploadRejected
from batchdrop.ports import Source

Chunks = Iterator[Iterable[Line]]


class CsvInput:
    """Reads delimited values.

    `header` is what an earlier reading of the file kept; empty to read it from the file. `delimiter` None: the file's
    own. A line `sep=;` before the header decides, as a byte order mark does.
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
        """Return the file's beginning, once it has been read."""
        return kept(self._beginning) if self._beginning else ""

    @property
    def dialect(self) -> Dialect:
        """Return how the file is written."""
        beginning = self._beginning or Beginning(delimiter=self._named_delimiter or ",")
        return Dialect(beginning.delimiter, "\r\n" if beginning.text.endswith("\r\n") else "\n")

    @property
    def encoding(self) -> Encoding:
        """Return the file's encoding."""
        return self._file.encoding

    def own_header_in(self, encoding: Encoding) -> bytes:
        """Return the header, without byte order mark and line end; to the byte in the file's own encoding."""
        beginning = self._beginning or Beginning()
        if beginning.exact is not None and encoding.name == self.encoding.name:
            return encode(beginning.declared, encoding) + beginning.exact
        return encode(beginning.declared + without_line_end(beginning.text), encoding)

    def rows(self, source: Source, start: Cursor) -> Generator[Row, None, None]:
        """Read the header, if `start` is before it, and return the rows after it.

        Raises UploadRejected for a file that is not in its encoding, has no usable header, or never closes a quote.
        """
        blocks = self._file.blocks(source, start)
        chunks: Chunks = split_chunks(blocks, start.offset, self._filename, self.encoding)
        if self._beginning is None:
            records = self._begin(chunks, start)
        else:
            records = self._records(chunks, start, self._beginning.delimiter)
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

    def _rows(self, records: Records, blocks: Generator[bytes, None, None]) -> Generator[Row, None, None]:
        columns, width = self._columns, len(self._columns)
        with closing(blocks):
            for record in records:
                raw, exact, cells = record.text.rstrip("\r\n"), record.exact, record.cells
                if exact is not None:
                    exact = self._trimmed(exact, record.text, raw)
                if len(cells) == width and not record.error:
                    named = dict(zip(columns, cells, strict=False))  # of one length; to look again takes its time
                    yield Row(raw, record.start, named, None, (), None, exact)
                else:
                    reason = record.error or f"it has {len(cells)} cells, the header has {width} columns"
                    yield Row(raw, record.start, {}, reason, (), None, exact)

    def _trimmed(self, exact: bytes, text: str, raw: str) -> bytes:
        return exact[: len(exact) - len(encode(text[len(raw) :], self.encoding))]

    def _records(self, chunks: Chunks, start: Cursor, delimiter: str) -> Records:
        return Records(chunks, start, filename=self._filename, delimiter=delimiter, encoding=self.encoding)

    def _begin(self, chunks: Chunks, start: Cursor) -> Records:
        """Read what stands before the first row, and return the records after it."""
        lines, chunks = self._first_lines(chunks)
        first = lines[-1].text.removeprefix(BOM) if lines else ""
        declared = declared_delimiter(first)
        if declared is None:
            delimiter = self._named_delimiter or found_delimiter(first)
            records = self._records(_before(lines, chunks), start, delimiter)
            self._beginning = self._read(records.header(), delimiter, "")
        else:
            records = self._records(chunks, Cursor(start.offset, 0, len(lines)), declared)
            self._beginning = self._read(records.header(), declared, first)
        self._columns = self._parse_header(self._beginning)
        return records

    def _first_lines(self, chunks: Chunks) -> tuple[list[Line], Chunks]:
        """Return the lines up to the first that is not empty, and what follows them."""
        lines: list[Line] = []
        try:
            for chunk in chunks:
                left = iter(chunk)
                for line in left:
                    lines.append(line)
                    if without_line_end(line.text.removeprefix(BOM)):
                        return lines, _before(left, chunks)
        except Undecodable as problem:
            message = f"{self._filename} header (line {len(lines) + 1}): {problem}"
            raise UploadRejected(message) from problem
        return lines, chunks

    def _read(self, header: Record | None, delimiter: str, declared: str) -> Beginning:
        if header is None:
            message = f"{self._filename}: the file is empty; a {self.name.upper()} file starts with a header line"
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


def _before(lines: Iterable[Line], chunks: Chunks) -> Chunks:
    return chain((lines,), chunks)
