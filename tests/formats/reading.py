"""Reading a file and joining outcomes to it, as the use cases do."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator

from batchdrop.adapters.formats.choice import format_for
from batchdrop.domain.outcome import Outcome, rejected
from batchdrop.domain.row import Cursor, Row

OutcomeOf = Callable[[Row], Outcome]


def answered(text: str) -> Outcome:
    """Return an answered row's outcome."""
    return Outcome("answered", "answered", answer=text)


def by_number(row: Row) -> Outcome:
    """Answer each row with its number; a row that cannot be used is rejected."""
    return rejected(row.error) if row.error else answered(f"#{row.number}")


def read(extension: str, body: bytes, *, pieces: list[bytes] | None = None) -> list[Row]:
    """Return all rows of a file."""
    return list(format_for(extension, f"f.{extension}").rows(pieces or [body], Cursor()))


def join(extension: str, body: bytes, outcome_of: OutcomeOf = by_number) -> bytes:
    """Return the output of a file: read, joined, with its header."""
    reader = format_for(extension, f"f.{extension}")
    rows = list(reader.rows([body], Cursor()))
    # The output is written by other invocations, which know the header from the manifest.
    writer = format_for(extension, f"f.{extension}", reader.header)
    return writer.output_header() + b"".join(writer.output_row(row.raw, outcome_of(row)) for row in rows)


def failed_lines(extension: str, body: bytes, outcome_of: OutcomeOf = by_number) -> bytes:
    """Return `failed.jsonl` as if every row had failed."""
    file_format = format_for(extension, f"f.{extension}")
    rows = list(file_format.rows([body], Cursor()))
    return b"".join(file_format.failed_line(row.raw, outcome_of(row)) for row in rows)


def parsed(output: bytes) -> list[list[str]]:
    """Read an output as any CSV reader would; strictly, so that a slip shows."""
    return list(csv.reader(io.StringIO(output.decode(), newline=""), strict=True))


def table(rows: list[list[str]], *, line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """Write a CSV file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
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
