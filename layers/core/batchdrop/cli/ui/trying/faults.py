"""The faults of a recipe, each with its line in the editor, and with a fix where one is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PLACE = re.compile(r"line (\d+), column (\d+): ")
_MEANT = re.compile(r"'([^']+)'.*?; did you mean '([^']+)'\?")
_QUOTED = re.compile(r"is quoted: (.+?) \(YAML")
_KEY = re.compile(r"(?:unknown )?key '([\w.]+)")
_COLUMN = re.compile(r"column '([^']+)'")
_SET = re.compile(r"; set ((\w+): \w+)")


@dataclass(frozen=True, slots=True)
class Fix:
    """A change of the text that removes a fault: a word of its line, the whole line, or a new line in the end."""

    words: str
    find: str = ""
    put: str = ""
    line: str = ""
    append: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. `line` and `column` count from 1; 0 if it has no place in the recipe."""

    text: str
    line: int = 0
    column: int = 0
    fix: Fix | None = None


def faults_of(message: str, name: str, text: str) -> list[Fault]:
    """Return the faults of an error about the recipe `name`, whose text is given."""
    first, *more = message.removeprefix(f"{name}: ").split("\n  ")
    return [_fault(one, text) for one in (more or [first])]


def findings_of(messages: list[str], text: str) -> list[Fault]:
    """Return findings of a check with their places."""
    return [_fault(one, text) for one in messages]


def _fault(told: str, text: str) -> Fault:
    place = _PLACE.match(told)
    words = told[place.end() :] if place else told
    line, column = (int(place[1]), int(place[2])) if place else _place_of(words, text)
    return Fault(words, line, column, _fix(words))


def _place_of(words: str, text: str) -> tuple[int, int]:
    """Return the line and column of what a message names: a key at its start, a column, or the prompt."""
    lines = text.splitlines()
    for pattern in _patterns(words):
        for number, line in enumerate(lines, 1):
            if found := pattern.search(line):
                return number, found.start() + 1
    return 0, 0


def _patterns(words: str) -> Iterator[re.Pattern[str]]:
    if key := _KEY.match(words) or re.match(r"([a-z_]+)[.:]", words):
        yield re.compile(rf"^\s*{re.escape(key[1].split('.')[0])}\s*:")
    if column := _COLUMN.search(words):
        yield re.compile(rf"(?<=[{{\s\"(]){re.escape(column[1])}(?=[}}\s\"|.)])")
    if setting := re.search(r"says ([a-z_]+):", words):
        yield re.compile(rf"^{setting[1]}\s*:")
    if "the prompt" in words:
        yield re.compile(r"^(?:prompt|messages)\s*:")


def _fix(words: str) -> Fix | None:
    if meant := _MEANT.search(words):
        wrong = meant[1].rpartition(".")[2]
        return Fix(f"Write {meant[2]}", find=wrong, put=meant[2])
    if quoted := _QUOTED.search(words):
        return Fix("Quote it", line=quoted[1])
    if key := _SET.search(words):
        return Fix(f"Add {key[1]}", append=key[1])
    return None
