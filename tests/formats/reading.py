"""Reading a file and joining outcomes to it, as the use cases do."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import Column, NewColumns
from batchdrop.answers.outcome import Outcome, rejected
from batchdrop.job.ports import InputFormat, OutputFormat
from batchdrop.job.upload import parse_inbox_key
from batchdrop.ports import Source
from batchdrop.recipe.recipe import Input, Output
from batchdrop.requests.row import Cursor, Row, StoredRow
from tests.formats.whole import whole_of

OutcomeOf = Callable[[Row], Outcome]
NEW = NewColumns()


class Bytes:
    """A Source in memory, in pieces or blocks of any size."""

    def __init__(
        self, body: bytes, name: str = "f", *, pieces: Iterable[bytes] | None = None, block: int = 1 << 20
    ) -> None:
        self.name = name
        self._body = body
        self._pieces = pieces
        self._block = block

    @property
    def size(self) -> int:
        """Return its bytes."""
        return len(self._body)

    def blocks(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield the pieces, or what follows `start` in blocks."""
        if self._pieces and not start:
            yield from self._pieces
        else:
            yield from (self._body[at : at + self._block] for at in range(start, len(self._body), self._block))

    def open(self) -> BinaryIO:
        """Open it for reading in any order."""
        return io.BytesIO(self._body)


class Collected:
    """A Writer in memory."""

    def __init__(self) -> None:
        self.body = b""

    def write(self, data: bytes, /) -> None:
        """Append bytes."""
        self.body += data


def answered(text: str) -> Outcome:
    """Return an answered row's outcome."""
    return Outcome("answered", "answered", (text,))


def by_number(row: Row) -> Outcome:
    """Answer each row with its number; a row that cannot be used is rejected."""
    return rejected(row.error) if row.error else answered(f"#{row.number}")


def reader_of(
    name: str,
    header: str = "",
    options: Input | None = None,
    new: NewColumns = NEW,
    wanted: Collection[str] = (),
) -> InputFormat:
    """Return what reads a file of that name."""
    return FileFormats().reader(parse_inbox_key(f"inbox/r/{name}"), options or Input(), new, header, wanted)


def rows_in(reader: InputFormat, source: Source, start: Cursor) -> Iterator[Row]:
    """Return the rows that follow `start`, one by one."""
    return chain.from_iterable(reader.row_blocks(source, start))


def read(extension: str, body: bytes, *, pieces: list[bytes] | None = None, options: Input | None = None) -> list[Row]:
    """Return all rows of a file."""
    return list(rows_in(reader_of(f"f.{extension}", options=options), Bytes(body, pieces=pieces), Cursor()))


def read_from(name: str, header: str, body: bytes, start: Cursor) -> list[Row]:
    """Return the rows that follow a cursor, as another invocation reads them."""
    return list(rows_in(reader_of(name, header), Bytes(body), start))


def join(
    extension: str,
    body: bytes,
    outcome_of: OutcomeOf = by_number,
    output: Output | None = None,
    *,
    options: Input | None = None,
    wanted: Collection[str] = (),
) -> bytes:
    """Return the output of a file: read, joined, with its header."""
    reader = reader_of(f"f.{extension}", options=options, wanted=wanted)
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    # The output is written by other invocations, which know the header from the manifest.
    again = reader_of(f"f.{extension}", reader.header, options)
    columns = [Column(name) for name in reader.columns or []]
    key = parse_inbox_key(f"inbox/r/f.{extension}")
    return _written(FileFormats().writer(again, key, output or Output(), NEW, columns), rows, outcome_of)


def failed_lines(extension: str, body: bytes, outcome_of: OutcomeOf = by_number) -> bytes:
    """Return `failed.jsonl` as if every row had failed."""
    reader = reader_of(f"f.{extension}")
    rows = list(rows_in(reader, Bytes(body), Cursor()))
    return _written(FileFormats().failed(reader, NEW), rows, outcome_of)


def _written(output: OutputFormat, rows: list[Row], outcome_of: OutcomeOf) -> bytes:
    """Write rows in two parts, and the output of these."""
    parts = []
    for some in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        written = Collected()
        with output.part(written, None) as part:
            for row in some:
                part.add([StoredRow(row.number, row.raw, row.error, row.exact)], [outcome_of(row)])
        parts.append(written.body)
    return whole_of(output, parts)


def parsed(output: bytes) -> list[list[str]]:
    """Read an output as any CSV reader would; strictly, so that a slip shows."""
    return list(csv.reader(io.StringIO(output.decode(), newline=""), strict=True))


def table(rows: list[list[str]], *, line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """Write a CSV file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type] # csv takes any int
    writer.writerows(rows)
    return out.getvalue().encode()


def cut_everywhere(body: bytes, seed: int) -> Iterator[bytes]:
    """Yield a file in pieces of random sizes, some of them empty."""
    chance = random.Random(seed)
    start = 0
    while start < len(body):
        size = chance.choice((0, 1, 1, 2, 3, 7, 64))
        yield body[start : start + size]
        start += size
