"""Find a table's header below titles: lines of a text file, rows of a sheet."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice

TITLE_LINES = 20  # records over a header, at most
_SHOWN = 60  # characters of a title
_NUMBER = re.compile(r"[-+]?[\d.,\s%€$£¥]*\d[\d.,\s%€$£¥]*")

Cells = Sequence[str]


def header_place(records: Sequence[Cells], wanted: Collection[str], *, is_padded: bool = True) -> int:
    """Return which record is the header; 0 if none is plainly below titles. `records` are a table's first.

    `wanted` are the columns that the recipe uses: the record that has them is the header. `is_padded`: a row has empty
    cells up to the header's width, as in text files.
    """
    found = _with_wanted(records, wanted) if wanted else None
    if found is None:
        found = _below_titles(records, is_padded=is_padded)
    return found or 0


def shortened_title(cells: Cells) -> str:
    """Return a title for a note."""
    text = " ".join(" ".join(_filled(cells)).split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _with_wanted(records: Sequence[Cells], wanted: Collection[str]) -> int | None:
    """Return which record has all wanted columns, below none but shorter records."""
    for at, cells in enumerate(islice(records, TITLE_LINES + 1)):
        if {cell.strip() for cell in cells}.issuperset(wanted):
            return at if all(len(_filled(over)) < len(_filled(cells)) for over in records[:at]) else None
    return None


def _below_titles(records: Sequence[Cells], *, is_padded: bool) -> int | None:
    """Return which record is plainly the header of a table below titles; None if none is.

    Titles are records of one filled cell, with a space in it; empty ones may follow. The table's records all have the
    same number of cells, and its header is full of distinct words.
    """
    at = next((at for at, cells in enumerate(records) if len(_filled(cells)) > 1), 0)
    if not 0 < at <= TITLE_LINES or len(records) < at + 2:
        return None
    header, over, rows = records[at], records[:at], records[at + 1 :]
    is_title = all(not _filled(cells) or any(" " in cell.strip() for cell in cells) for cells in over)
    is_title = is_title and bool(_filled(over[0]))
    is_header = len(_filled(header)) == len(header) == len({*header})
    is_header = is_header and not any(_NUMBER.fullmatch(cell.strip()) for cell in header)
    widths = {len(cells) for cells in rows}
    is_table = widths == {len(header)} if is_padded else max(widths) == len(header)
    return at if is_title and is_header and is_table else None


def _filled(cells: Cells) -> list[str]:
    return [cell for cell in cells if cell.strip()]
