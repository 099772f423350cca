"""Remove rows from a job's outputs. Files that cannot be rewritten row by row are removed whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.adapters.formats.csv.input import CsvInput
from batchdrop.answers.columns import ERROR, ROW, STATUS, NewColumns
from batchdrop.cli.forget.cuts import Cut
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.errors import UploadRejected
from batchdrop.job.stored_lines import whole_lines
from batchdrop.job.stored_source import StoredSource
from batchdrop.job.upload import InboxKey, parse_inbox_key
from batchdrop.ports import ObjectStore
from batchdrop.recipe.recipe import Input
from batchdrop.requests.row import EMPTY_ROW, Cursor

WHY, SKIPPED = "forgotten", "skipped"  # a row that is not sent: of the statuses that a row can have
LISTS = ("failed.jsonl", "perhaps-paid.jsonl", "gold.jsonl")  # of some rows: a forgotten one is no longer among them
_EMPTY_LINE = json.dumps({STATUS: SKIPPED, ERROR: WHY}).encode()
_NO_NAMES = NewColumns(answer=(), status="\0status", error="\0error")  # none of a file's columns has such a name


class NotByRows(Exception):  # an answer, not an error: the file is removed whole
    """The file cannot be rewritten row by row."""


def cuts(store: ObjectStore, key: str, wanted: Wanted, options: Input) -> list[Cut]:
    """Return how a file of outputs changes if the wanted rows are forgotten. Raises NotByRows.

    A row of an output keeps its place, with empty cells, so that the rows after it keep their numbers.
    """
    name = key.rpartition("/")[2]
    if name in LISTS:
        return [*_of_lines(store, key, wanted, is_list=True)]
    match name.partition(".")[2]:
        case "jsonl":
            return [*_of_lines(store, key, wanted, is_list=False)]
        case "csv" | "tsv" as extension:
            return [*_of_table(store, key, wanted, options, extension)]
    return [*_of_other(store, key, wanted, options)]


def matching_rows(store: ObjectStore, key: str, wanted: Wanted, options: Input | Literal["files"]) -> int:
    """Return how many rows of a file are wanted. Raises NotByRows if it cannot be read."""
    name = parse_inbox_key(f"inbox/{key.rpartition('/')[2]}")
    reader = FileFormats().reader(name, options, _NO_NAMES)
    found = number = 0
    try:
        with closing(reader.row_blocks(StoredSource(store, key), Cursor())) as blocks:
            for row in (row for rows in blocks for row in rows):
                number += 1
                found += wanted.has_row(number, row.cells)
    except UploadRejected:
        raise NotByRows(key) from None
    return found


def _of_other(store: ObjectStore, key: str, wanted: Wanted, options: Input) -> Iterator[Cut]:
    """Yield nothing for a file without wanted rows. Raises NotByRows for one with some: its rows are not text."""
    if matching_rows(store, key, wanted, options):
        raise NotByRows(key)
    yield from ()


def _of_lines(store: ObjectStore, key: str, wanted: Wanted, *, is_list: bool) -> Iterator[Cut]:
    at = 0
    with closing(store.stream(key)) as blocks:
        for number, line in enumerate(whole_lines(blocks), 1):
            cells = _object(line, key)
            end = at + len(line) + 1
            if line != _EMPTY_LINE and wanted.has_row(cells.get(ROW, 0) if is_list else number, cells):
                yield Cut(at, end, b"" if is_list else _EMPTY_LINE + b"\n")
            at = end


def _object(line: bytes, key: str) -> dict[str, Any]:
    try:
        cells = json.loads(line)
    except ValueError:
        raise NotByRows(key) from None
    if not isinstance(cells, dict):
        raise NotByRows(key)
    return cells


def _of_table(store: ObjectStore, key: str, wanted: Wanted, options: Input, extension: str) -> Iterator[Cut]:
    reader = FileFormats().reader(InboxKey("", "output", extension), options, _NO_NAMES)
    size, number, open_at = store.size(key), 0, None
    assert isinstance(reader, CsvInput)
    try:
        with closing(reader.row_blocks(StoredSource(store, key), Cursor())) as blocks:
            for row in (row for rows in blocks for row in rows):
                if open_at is not None:
                    yield Cut(open_at, row.start.offset, _empty_record(reader))
                number += 1
                if row.error and row.error != EMPTY_ROW and wanted.subject is not None:
                    raise NotByRows(key)  # nothing tells whose row it is
                is_wanted = row.raw != _empty(reader) and wanted.has_row(number, row.cells)
                open_at = row.start.offset if is_wanted else None
    except UploadRejected:
        raise NotByRows(key) from None
    if open_at is not None:
        yield Cut(open_at, size, _empty_record(reader))


def _empty_record(reader: CsvInput) -> bytes:
    return (_empty(reader) + reader.dialect.line_end).encode(reader.encoding.name)


def _empty(reader: CsvInput) -> str:
    """Return a record of empty cells, with its status and why."""
    cells = [{STATUS: SKIPPED, ERROR: WHY}.get(column, "") for column in reader.columns or ()]
    if not any(cells):  # the recipe gives these columns other names; a record of nothing is not a row
        cells[-1] = WHY
    return reader.dialect.record(cells)
