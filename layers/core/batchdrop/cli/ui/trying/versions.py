"""The tries of one console: each is a version of the recipe with the answers that it got."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from difflib import unified_diff
from threading import Lock

from batchdrop.cli.trial.trying import Shown, Tried


@dataclass(frozen=True, slots=True)
class Choice:
    """The rows of a try: how many, and whether they are drawn from the whole file."""

    rows: int = 20
    is_random: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """A recipe's text, and its answers. `number` counts from 1."""

    number: int
    at: datetime
    recipe: str
    choice: Choice
    tried: Tried

    def row(self, number: int) -> Shown | None:
        """Return a row by its number in the file."""
        return next((one for one in self.tried.rows if one.row == number), None)


class Versions:
    """All versions, oldest first. Several threads may use them."""

    def __init__(self) -> None:
        self._all: list[Version] = []
        self._lock = Lock()

    def add(self, at: datetime, recipe: str, choice: Choice, tried: Tried) -> Version:
        """Add a version, and return it. A try of the same text and rows takes the place of the last one."""
        with self._lock:
            last = self._all[-1] if self._all else None
            if last is not None and (last.recipe, last.choice) == (recipe, choice):
                self._all.pop()
            self._all.append(Version(len(self._all) + 1, at, recipe, choice, tried))
            return self._all[-1]

    def replace_row(self, version: Version, shown: Shown) -> Version:
        """Put a row that was sent again into its version, and return the version."""
        with self._lock:
            now = self._all[version.number - 1]
            rows = [shown if one.row == shown.row else one for one in now.tried.rows]
            self._all[version.number - 1] = replace(now, tried=replace(now.tried, rows=rows))
            return self._all[version.number - 1]

    def get(self, number: int) -> Version | None:
        """Return a version by its number; None if there is none."""
        return self._all[number - 1] if 1 <= number <= len(self._all) else None

    @property
    def all(self) -> list[Version]:
        """Return them, oldest first."""
        return [*self._all]


def recipe_changes(before: Version, now: Version) -> list[tuple[str, str]]:
    """Return the lines that differ between two recipes with their neighbours, each with `+`, `-` or a space."""
    lines = unified_diff(before.recipe.splitlines(), now.recipe.splitlines(), n=1, lineterm="")
    return [(line[0], line[1:]) for line in [*lines][2:] if line[0] in "+- "]
