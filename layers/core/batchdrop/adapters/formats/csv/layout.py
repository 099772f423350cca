"""Find how a delimited file is laid out, in its first lines: the delimiter, lines over the header, spaced quotes."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from batchdrop.adapters.formats.csv.dialect import TAB, Dialect
from batchdrop.adapters.formats.titles import header_place

DELIMITERS = (",", ";", TAB, "|")
RARE = ("\x01", "\x1f", "^", "~", ":", "§", "¦")  # only if they give the columns that the recipe uses; Hive writes \x01


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's dialect, the number of lines before its header, and of the header's cells; 0 if there is none."""

    dialect: Dialect
    skip: int = 0
    cells: int = 0


class _Record(NamedTuple):
    before: int  # lines before it
    cells: list[str]


class _Reading(NamedTuple):
    """The lines as one dialect reads them. `fit` is the share of the rows that have the header's cells."""

    dialect: Dialect
    header: _Record
    has_wanted: bool
    is_first: bool
    fit: float

    @property
    def rank(self) -> tuple[bool, float, bool, int, bool, int]:
        """Return what makes this reading better than another.

        A comma in the header is likelier than one column, but words such as `price, EUR` are not taken apart.
        """
        cells = self.header.cells
        is_comma = self.dialect.delimiter == ","
        fit = max(self.fit, 0.6) if is_comma and len(cells) > 1 else self.fit
        is_tight = not any(cell.startswith(" ") for cell in cells[1:])
        order = -(DELIMITERS + RARE).index(self.dialect.delimiter)
        return self.has_wanted, round(fit, 1), self.is_first, len(cells), is_tight, order


def find_layout(
    lines: Sequence[str],
    *,
    dialect: Dialect,
    named: str | None,
    titles: bool,
    wanted: Collection[str] = (),
    is_whole: bool = False,
) -> Layout:
    """Return the layout of the file that starts with these lines.

    `named` is a known delimiter. `wanted` are the columns that the recipe uses: the line that has them is the header.
    `is_whole`: the file has no other lines. `titles`: the header may stand below other lines.
    """

    def read_with(*delimiters: str) -> Iterator[_Reading]:
        for delimiter in delimiters:
            tried = replace(dialect, delimiter=delimiter)
            tried = replace(tried, spaced=_has_spaced_quotes(lines, delimiter))
            records = _records(lines, tried, is_whole=is_whole)
            if records:
                yield _reading(tried, records, wanted, titles=titles)

    readings = [*(read_with(named) if named else read_with(*DELIMITERS))]
    if not readings:
        return Layout(replace(dialect, delimiter=named or ","))
    if not named and not any(reading.has_wanted for reading in readings):
        readings += [reading for reading in read_with(*RARE) if reading.has_wanted and len(reading.header.cells) > 1]
    best = readings[0] if named else max(readings, key=lambda reading: reading.rank)
    return Layout(best.dialect, 0 if best.is_first else best.header.before, len(best.header.cells))


def _reading(dialect: Dialect, records: list[_Record], wanted: Collection[str], *, titles: bool) -> _Reading:
    at = header_place([record.cells for record in records], wanted) if titles else 0
    header = records[at]
    has_wanted = bool(wanted) and {cell.strip() for cell in header.cells}.issuperset(wanted)
    return _Reading(dialect, header, has_wanted, at == 0, _fit(header, records[at + 1 :]))


def _fit(header: _Record, rows: list[_Record]) -> float:
    """Return the share of rows with as many cells as the header; others beyond may be empty. One column counts half."""
    width = len(header.cells)
    fitting = sum(len(row.cells) >= width and not any(row.cells[width:]) for row in rows)
    return (fitting / len(rows) if rows else 1.0) * (0.5 if width == 1 else 1.0)


def _records(lines: Sequence[str], dialect: Dialect, *, is_whole: bool) -> list[_Record]:
    """Return the records of these lines without the empty ones; the last may be cut off, unless the file ends."""
    found = [record for record in _each_record(lines, dialect) if record.cells]
    return found if is_whole or len(found) < 2 else found[:-1]  # noqa: PLR2004 - the only record is better than none


def _each_record(lines: Sequence[str], dialect: Dialect) -> Iterator[_Record]:
    reader, before = dialect.reader(lines), 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        yield _Record(before, cells)
        before = reader.line_num


def _has_spaced_quotes(lines: Sequence[str], delimiter: str) -> bool:
    """Return whether a cell's quotes have spaces before them, as in `1, "a, b"`."""
    quoted = re.compile(rf'{re.escape(delimiter)} +"(?:[^"]|"")*"(?=\s*(?:{re.escape(delimiter)}|$))', re.MULTILINE)
    return any(delimiter + " " in line for line in lines) and quoted.search("".join(lines)) is not None
