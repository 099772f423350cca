"""The filled table of a job's results: pages, counts and histograms of a selection, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from batchdrop.cli.ui.results.columns import ResultColumn
from batchdrop.cli.ui.results.filling import Filled
from batchdrop.cli.ui.results.selection import Selection, after, condition, order, selection_of

MEMORY = "96MB"  # of the database, beside the console's own
PAGE = 100  # rows
BARS = 20  # of a histogram of numbers
MOST_SHOWN = 12  # labels of a column; the others are a sum
MOST_COUNTED = 8  # histograms
FETCHED = 2_000  # rows of an export in memory

Cells = tuple[str, ...]


class TableRow(msgspec.Struct, frozen=True):
    """A row: its number in the file, from 1, and its cells."""

    row: int
    cells: Cells


class RowPage(msgspec.Struct, frozen=True):
    """Some rows in order, and whether more come after them."""

    rows: list[TableRow]
    has_more: bool


class Bar(msgspec.Struct, frozen=True):
    """Some rows with one label, or with numbers from `low` to `high`."""

    rows: int
    label: str = ""
    low: float | None = None
    high: float | None = None


class Histogram(msgspec.Struct, frozen=True):
    """How often the values of a column stand in a selection, without the selection's filter of that column.

    `others` counts the rows whose label is not shown.
    """

    column: ResultColumn
    bars: list[Bar]
    others: int = 0


class Counts(msgspec.Struct, frozen=True):
    """How many rows a selection has, and its histograms."""

    rows: int
    histograms: list[Histogram]


class ResultTable:
    """A job's results on this machine. Threads may use it at the same time."""

    def __init__(self, path: Path) -> None:
        """Open a filled table. It can read no other file, whatever a query holds."""
        import duckdb

        config: dict[str, Any] = {"memory_limit": MEMORY, "threads": 2, "temp_directory": f"{path}.spill"}
        self._database = duckdb.connect(path, read_only=True, config=config)
        self._database.execute("SET enable_external_access = false; SET lock_configuration = true")
        [about] = self._database.execute("SELECT json FROM about").fetchone() or ("",)
        self.filled = msgspec.json.decode(about, type=Filled)
        self.columns: Sequence[ResultColumn] = self.filled.columns
        self._remembered = lru_cache(maxsize=64)(self._counts)
        self._cells = ", ".join(column.text for column in self.columns)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def page(self, selection: Selection, *, behind: int = 0, size: int = PAGE) -> RowPage:
        """Return the first rows of a selection, or those behind a row, by its number."""
        words, values = condition(selection, self.columns)
        if behind:
            place, bound = after(selection, self.columns, behind, self._key(selection, behind))
            words, values = f"{words} AND {place}", values + bound
        sql = f"SELECT r, {self._cells} FROM rows WHERE {words} ORDER BY {order(selection, self.columns)} LIMIT ?"  # noqa: S608 -- our own names; the values are bound
        found = self._rows(sql, [*values, size + 1])
        return RowPage([TableRow(row, tuple(cells)) for row, *cells in found[:size]], len(found) > size)

    def row(self, row: int) -> TableRow | None:
        """Return one row; None if there is no such row."""
        found = self._rows(f"SELECT r, {self._cells} FROM rows WHERE r = ?", [row])  # noqa: S608 -- likewise
        return next((TableRow(row, tuple(cells)) for row, *cells in found), None)

    def counts(self, selection: Selection) -> Counts:
        """Return how many rows a selection has, and its histograms."""
        return self._remembered(selection.query(sort=None, descends=False))

    def numbers(self, selection: Selection, most: int) -> list[int]:
        """Return the numbers of a selection's first rows in the file."""
        words, values = condition(selection, self.columns)
        return [row for [row] in self._rows(f"SELECT r FROM rows WHERE {words} ORDER BY r LIMIT ?", [*values, most])]  # noqa: S608 -- likewise

    def export(self, selection: Selection) -> Iterator[TableRow]:
        """Yield all rows of a selection in its order, in blocks."""
        words, values = condition(selection, self.columns)
        sql = f"SELECT r, {self._cells} FROM rows WHERE {words} ORDER BY {order(selection, self.columns)}"  # noqa: S608 -- likewise
        with closing(self._database.cursor()) as cursor:
            cursor.execute(sql, values)
            while found := cursor.fetchmany(FETCHED):
                yield from (TableRow(row, tuple(cells)) for row, *cells in found)

    @property
    def counted(self) -> list[ResultColumn]:
        """Return the columns that have a histogram: the new ones first."""
        found = [one for one in self.columns if one.kind != "text" and (one.kind != "number" or self._has_span(one))]
        return sorted(found, key=lambda one: (not one.is_new, one.kind == "status", one.place))[:MOST_COUNTED]

    def _has_span(self, column: ResultColumn) -> bool:
        return column.place in self.filled.lowest

    def _counts(self, query: str) -> Counts:
        """Count everything that the selection does not filter in one pass, and each filtered column in one of its own.

        So a person can choose a second label of a column that is filtered already.
        """
        selection = selection_of(parse_qsl(query, keep_blank_values=True), self.columns)
        filtered = [one for one in self.counted if selection.without(one.place) != selection]
        free = [one for one in self.counted if one not in filtered]
        rows, found = self._counted(free, selection)
        for one in filtered:
            found |= self._counted([one], selection.without(one.place))[1]
        return Counts(rows, [found[one.place] for one in self.counted])

    def _counted(self, columns: list[ResultColumn], selection: Selection) -> tuple[int, dict[int, Histogram]]:
        """Return how many rows a selection has, and the histograms of columns, by place."""
        words, values = condition(selection, self.columns)
        keys = [f"k{one.place}" for one in columns]
        named = "".join(f", {self._bucket(one)} AS k{one.place}" for one in columns)
        sets = ", ".join(["()", *(f"({key})" for key in keys)])
        which = f"GROUPING({', '.join(keys)})" if keys else "0"
        sql = f"SELECT {which}, count(*){''.join(f', {key}' for key in keys)} FROM (SELECT 1{named} FROM rows WHERE {words}) GROUP BY GROUPING SETS ({sets})"  # noqa: E501, S608 -- likewise
        total, found = 0, dict[int, dict[Any, int]]({one.place: {} for one in columns})
        for which_one, count, *values_of in self._rows(sql, values):
            place = _set_of(which_one, len(keys))
            if place is None:
                total = count
            elif values_of[place] is not None:
                found[columns[place].place][values_of[place]] = count
        return total, {one.place: self._histogram(one, found[one.place]) for one in columns}

    def _bucket(self, column: ResultColumn) -> str:
        """Return the label, or the number of the bar, in SQL. A number that is not finite has none."""
        if column.kind != "number":
            return column.text
        low, width, bars = self._scale(column)
        number = f"n{column.place}"
        return f"CASE WHEN isfinite({number}) THEN least(floor(({number} - {low!r}) / {width!r}), {bars - 1})::INT END"

    def _scale(self, column: ResultColumn) -> tuple[float, float, int]:
        """Return the first bar's beginning, a bar's width, and the number of bars."""
        low, high = self.filled.lowest[column.place], self.filled.highest[column.place]
        bars = BARS if high > low else 1
        return low, (high - low) / bars or 1.0, bars

    def _histogram(self, column: ResultColumn, counts: dict[Any, int]) -> Histogram:
        if column.kind == "number":
            low, width, bars = self._scale(column)
            high = self.filled.highest[column.place]
            ends = [low + width * place for place in range(bars)] + [high]
            return Histogram(
                column, [Bar(counts.get(one, 0), low=ends[one], high=ends[one + 1]) for one in range(bars)]
            )
        found = sorted((Bar(rows, label) for label, rows in counts.items()), key=lambda bar: (-bar.rows, bar.label))
        return Histogram(column, found[:MOST_SHOWN], sum(bar.rows for bar in found[MOST_SHOWN:]))

    def _key(self, selection: Selection, row: int) -> dict[str, Any]:
        if selection.sort is None:
            return {}
        by = self.columns[selection.sort].sorted_by
        found = self._rows(f"SELECT {by} FROM rows WHERE r = ?", [row])  # noqa: S608 -- likewise
        return {"value": found[0][0] if found else None}

    def _rows(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        with closing(self._database.cursor()) as cursor:
            return list(cursor.execute(sql, values).fetchall())


def _set_of(grouping: int, keys: int) -> int | None:
    """Return which of the keys a line is grouped by, from SQL's GROUPING: a bit is 0 for it. None for the total."""
    bits = [place for place in range(keys) if not grouping >> (keys - 1 - place) & 1]
    return bits[0] if bits else None
