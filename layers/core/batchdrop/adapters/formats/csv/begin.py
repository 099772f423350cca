"""Read what comes before a delimited file's rows: the layout that its first lines show, and its header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NoReturn

from batchdrop.adapters.formats.csv.dialect import TAB, Dialect, declared_delimiter
from batchdrop.adapters.formats.csv.layout import Layout, find_layout
from batchdrop.adapters.formats.csv.options import CsvOptions
from batchdrop.adapters.formats.csv.records import Record, RecordReader
from batchdrop.adapters.formats.text.beginning import Beginning
from batchdrop.adapters.formats.text.encodings import BOM, Encoding, encode
from batchdrop.adapters.formats.text.lines import Lines, Undecodable, without_line_end
from batchdrop.adapters.formats.text.magic import refuse_other_texts
from batchdrop.errors import UploadRejected
from batchdrop.requests.row import Cursor

SAMPLE_LINES = 500
SAMPLE_CHARS = 1 << 18
_SHOWN = 60  # characters of a skipped line


@dataclass(frozen=True, slots=True)
class DelimitedFile:
    """A delimited file that is read from its start. `kind` is csv or tsv."""

    filename: str
    kind: str
    encoding: Encoding
    options: CsvOptions


def begin(file: DelimitedFile, lines: Iterator[Lines]) -> tuple[Beginning, RecordReader]:
    """Return the file's beginning, and a reader of the records after it. Raises UploadRejected without a header."""
    sample = _Sample(file, lines)
    options = file.options
    if options.header is None and not options.skip and sample.texts:
        refuse_other_texts(sample.texts[0], file.filename)
    declared = sample.declared
    first = sample.declared_lines + (options.skip or 0)
    layout = find_layout(
        sample.texts[first:],
        dialect=Dialect(escape=options.escape),
        named=declared_delimiter(declared) or options.delimiter,
        wanted=options.wanted,
        is_whole=sample.is_whole,
        titles=options.skip is None and options.header is None,
    )
    start = first + layout.skip
    begins = Cursor(0, 0, start)
    dialect = layout.dialect
    reader = RecordReader(
        sample.lines_from(start), begins, filename=file.filename, dialect=dialect, encoding=file.encoding
    )
    header = _header(file, layout, reader)
    is_skipped = layout.skip or options.skip
    beginning = Beginning(
        file.encoding.name,
        file.encoding.marked,
        dialect.delimiter,
        declared,
        header.text.removeprefix(BOM) if header else "",
        _exact(header, file.encoding) if header else None,
        newline=file.encoding.line_end,
        line_end=sample.line_end,
        skipped=sample.bytes_of(sample.declared_lines, start) if is_skipped else b"",
        spaced=dialect.spaced,
        cells=layout.cells,
        notes=_notes(file, layout, sample.texts[:start] if layout.skip else [], declared),
    )
    return beginning, reader


def _header(file: DelimitedFile, layout: Layout, reader: RecordReader) -> Record | None:
    """Return the header's record; None for a file that has none."""
    named = file.options.header
    if named is None:
        header = reader.header()
        if header is None:
            _refuse_empty(file)
        return header
    if not layout.cells:
        _refuse_empty(file)
    if named and len(named) != layout.cells:
        message = (
            f"{file.filename}: key 'input.header' names {len(named)} columns, but the first row has {layout.cells} "
            "cells; name each of them"
        )
        raise UploadRejected(message)
    return None


def _refuse_empty(file: DelimitedFile) -> NoReturn:
    if file.options.skip:
        message = f"{file.filename}: nothing follows the {file.options.skip} lines of `input.skip`; lower it"
    else:
        kind = file.kind.upper()
        message = f"{file.filename}: the file is empty; a {kind} file must start with a header line"
    raise UploadRejected(message)


def _exact(header: Record, encoding: Encoding) -> bytes | None:
    """Return the header's bytes without mark and line end, if encoding its text would give others."""
    if header.exact is None:
        return None
    text = header.text
    end = len(encode(text[len(without_line_end(text)) :], encoding))
    return header.exact[: len(header.exact) - end].removeprefix(encoding.mark)


def _notes(file: DelimitedFile, layout: Layout, over: list[str], declared: str) -> list[str]:
    notes = []
    usual = TAB if file.kind == "tsv" else ","
    if layout.cells > 1 and layout.dialect.delimiter != usual and not declared and not file.options.delimiter:
        delimiter = layout.dialect.delimiter
        shown = delimiter if delimiter.isprintable() else repr(delimiter)
        notes.append(f"cells are separated by {'tabs' if delimiter == TAB else shown}")
    titles = [" ".join(text.split()) for text in over if text.strip()]
    if titles:
        shown = titles[0] if len(titles[0]) <= _SHOWN else titles[0][:_SHOWN] + "…"
        notes.append(f"the header is in line {len(over) + 1}, below '{shown}'")
    if file.encoding.line_end == "\r":
        notes.append("lines end in carriage returns alone")
    return notes


class _Sample:
    """A file's first lines, and the others after them. `texts` are without the byte order mark."""

    def __init__(self, file: DelimitedFile, lines: Iterator[Lines]) -> None:
        self._encoding = file.encoding
        self._taken: list[Lines] = []
        self._rest = lines
        self.is_whole = False
        self.texts: list[str] = []
        self._read(file, (file.options.skip or 0) + SAMPLE_LINES)
        at = next((at for at, text in enumerate(self.texts) if without_line_end(text)), None)
        first = "" if at is None else self.texts[at]
        self.declared = first if declared_delimiter(first) is not None else ""
        self.declared_lines = at + 1 if at is not None and self.declared else 0
        self.line_end = "\r\n" if first.endswith("\r\n") else self._encoding.line_end

    def _read(self, file: DelimitedFile, most: int) -> None:
        size = 0
        try:
            for some in self._rest:
                self._taken.append(some)
                texts = some.texts if self.texts else [some.texts[0].removeprefix(BOM), *some.texts[1:]]
                self.texts += texts
                size += sum(map(len, texts))
                if len(self.texts) >= most or (size >= SAMPLE_CHARS and len(self.texts) > (file.options.skip or 0)):
                    return
        except Undecodable as problem:
            if not any(map(without_line_end, self.texts)):
                message = f"{file.filename} header (line {len(self.texts) + 1}): {problem}"
                raise UploadRejected(message) from problem
            self._rest = _raising(problem)
            return
        self.is_whole = True

    def lines_from(self, number: int) -> Iterator[Lines]:
        """Return all lines after the first `number`."""
        left = []
        for some in self._taken:
            left += some.after(number) if number > 0 else [some]
            number -= len(some.texts)
        return chain(left, self._rest)

    def bytes_of(self, start: int, stop: int) -> bytes:
        """Return the bytes of some of the lines, without the byte order mark."""
        exacts = [exact for some in self._taken for exact in some.exacts]
        each = zip(self.texts[start:stop], exacts[start:stop], strict=True)
        joined = b"".join(text.encode(self._encoding.name) if exact is None else exact for text, exact in each)
        return joined.removeprefix(self._encoding.mark)


def _raising(problem: Undecodable) -> Iterator[Lines]:
    raise problem
    yield  # makes it a generator: the error comes where the line would
