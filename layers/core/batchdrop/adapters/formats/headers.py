"""Name a table's columns after the cells of its header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTED = 5  # columns named in one note


def column_names(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the columns' names, and notes on those that the header does not name by itself.

    A blank cell becomes `column_3`, counted from 1; a second `Notes` becomes `Notes_2`.
    """
    titles = [cell.strip() for cell in cells]
    free = _FreeNames(titles)
    seen = set[str]()
    names, unnamed, again = [], [], []
    for number, title in enumerate(titles, start=1):
        if not title:
            names.append(free.name(f"column_{number}"))
            unnamed.append(names[-1])
        elif title in seen:
            names.append(free.numbered(title))
            again.append(f"column {number} '{title}' is '{names[-1]}'")
        else:
            names.append(title)
        seen.add(title)
    return names, [*_note("the header leaves columns without a name", unnamed), *_note("names repeat", again)]


class _FreeNames:
    """Names that no other column has, found in a time that does not grow with the columns before."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """Return the wanted name, with a number if it is taken."""
        if wanted in self._taken:
            return self.numbered(wanted)
        self._taken.add(wanted)
        return wanted

    def numbered(self, title: str) -> str:
        """Return the title with the next number, counted from 2."""
        number = self._numbers.get(title, 1) + 1
        while f"{title}_{number}" in self._taken:
            number += 1
        self._numbers[title] = number
        self._taken.add(f"{title}_{number}")
        return f"{title}_{number}"


def _note(what: str, which: Sequence[str]) -> list[str]:
    if not which:
        return []
    more = f" and {len(which) - NOTED} more" if len(which) > NOTED else ""
    return [f"{what}: {', '.join(which[:NOTED])}{more}"]
