"""Which rows of a job's results are wanted, and in which order: from an address, and as SQL.

Values are bound, and columns are known by their places, so no text of a file or an address becomes SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any
from urllib.parse import urlencode

import msgspec

from batchdrop.cli.ui.results.columns import ResultColumn

MOST_TEXT = 200  # characters of a search
MOST_VALUES = 50  # of one filter

Pairs = Iterable[tuple[str, str]]


class Selection(msgspec.Struct, frozen=True):
    """Some rows. `equals` has the accepted values by the column's place, `between` the ends of a range, both included.

    `text` is searched in one column (`within`), or in all of them. `sort` is a column's place; without it, rows are in
    the file's order.
    """

    text: str = ""
    within: int | None = None
    equals: dict[int, list[str]] = {}
    between: dict[int, tuple[float | None, float | None]] = {}
    sort: int | None = None
    descends: bool = False

    @property
    def is_all(self) -> bool:
        """Return whether every row is wanted."""
        return not (self.text or self.equals or self.between)

    def query(self, **changes: Any) -> str:
        """Return the selection as an address's query, with changes."""
        changed = msgspec.structs.replace(self, **changes)
        pairs = [("q", changed.text)] if changed.text else []
        pairs += [] if changed.within is None else [("in", str(changed.within))]
        pairs += [(f"is{place}", value) for place, values in sorted(changed.equals.items()) for value in values]
        pairs += [(f"in{place}", _range(ends)) for place, ends in sorted(changed.between.items())]
        pairs += [] if changed.sort is None else [("sort", f"{'-' if changed.descends else ''}{changed.sort}")]
        return urlencode(pairs)

    def toggled(self, place: int, value: str) -> str:
        """Return the query of the selection with a value more, or less, of a column."""
        values = self.equals.get(place, [])
        changed = [one for one in values if one != value] if value in values else [*values, value]
        equals = {**self.equals, place: changed} if changed else _without(self.equals, place)
        return self.query(equals=equals)

    def ranged(self, place: int, low: float | None, high: float | None) -> str:
        """Return the query of the selection with a range of numbers; without it, if it has just this one."""
        if self.between.get(place) == (low, high) or (low is None and high is None):
            return self.query(between=_without(self.between, place))
        return self.query(between={**self.between, place: (low, high)})

    def sorted_by(self, place: int) -> str:
        """Return the query of the selection by a column: upwards, then downwards, then in the file's order."""
        if self.sort != place:
            return self.query(sort=place, descends=False)
        return self.query(sort=None, descends=False) if self.descends else self.query(descends=True)

    def without(self, place: int) -> Selection:
        """Return the selection without the filter of a column."""
        return msgspec.structs.replace(self, equals=_without(self.equals, place), between=_without(self.between, place))


def _without(filters: dict[int, Any], place: int) -> dict[int, Any]:
    return {one: value for one, value in filters.items() if one != place}


def _range(ends: tuple[float | None, float | None]) -> str:
    return "..".join("" if end is None else f"{end:.17g}" for end in ends)


def selection_of(pairs: Pairs, columns: Sequence[ResultColumn]) -> Selection:
    """Return the selection of an address's query. Unknown names and places without a column are ignored."""
    text, descends = "", False
    within: int | None = None
    sort: int | None = None
    equals: dict[int, list[str]] = {}
    between: dict[int, tuple[float | None, float | None]] = {}
    for name, value in pairs:
        if name == "q":
            text = value[:MOST_TEXT]
        elif name == "in":
            within = _place(value, columns)
        elif name == "status":
            equals |= {one.place: [value] for one in columns if one.kind == "status"}
        elif name == "sort":
            sort, descends = _place(value.removeprefix("-"), columns), value.startswith("-")
        elif name.startswith("is") and (place := _place(name[2:], columns)) is not None:
            equals[place] = [*equals.get(place, []), value][:MOST_VALUES]
        elif name.startswith("in") and (place := _place(name[2:], columns)) is not None:
            ends = _ends(value)
            if ends != (None, None) and columns[place].kind == "number":
                between[place] = ends
    return Selection(text, within, equals, between, sort, descends and sort is not None)


def _place(text: str, columns: Sequence[ResultColumn]) -> int | None:
    return int(text) if text.isdecimal() and len(text) < len("10000") and int(text) < len(columns) else None


def _ends(text: str) -> tuple[float | None, float | None]:
    low, _, high = text.partition("..")
    return _number(low), _number(high)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def condition(selection: Selection, columns: Sequence[ResultColumn]) -> tuple[str, list[Any]]:
    """Return the selection as a condition of SQL, with the values to bind."""
    words: list[str] = ["true"]
    values: list[Any] = []
    for place, accepted in selection.equals.items():
        words.append(f"c{place} IN ({', '.join('?' * len(accepted))})")
        values += accepted
    for place, ends in selection.between.items():
        for end, sign in zip(ends, (">=", "<="), strict=True):
            if end is not None:
                words.append(f"n{place} {sign} ?")
                values.append(end)
    if selection.text:
        searched = [one for one in columns if selection.within in {None, one.place}]
        words.append("(" + " OR ".join(f"contains(lower({one.text}), ?)" for one in searched) + ")")
        values += [selection.text.lower()] * len(searched)
    return " AND ".join(words), values


def order(selection: Selection, columns: Sequence[ResultColumn]) -> str:
    """Return the order of the rows in SQL: empty cells last, and equal ones as in the file."""
    if selection.sort is None:
        return "r"
    by = columns[selection.sort].sorted_by
    return f"{by} {'DESC' if selection.descends else 'ASC'} NULLS LAST, r"


def after(
    selection: Selection, columns: Sequence[ResultColumn], row: int, key: Mapping[str, Any]
) -> tuple[str, list[Any]]:
    """Return the condition of the rows behind one, in the selection's order. `key` has its value of the sorted column.

    This is keyset paging: a page costs the same wherever it is.
    """
    if selection.sort is None:
        return "r > ?", [row]
    by, value = columns[selection.sort].sorted_by, key["value"]
    if value is None:
        return f"{by} IS NULL AND r > ?", [row]
    sign = "<" if selection.descends else ">"
    return f"({by} IS NULL OR {by} {sign} ? OR ({by} = ? AND r > ?))", [value, value, row]
