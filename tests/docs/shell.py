"""A typed line, cut into simple commands as a shell cuts it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

_PLACEHOLDER = re.compile(r"<[A-Za-z][^<>|&;]*>")
_PUNCTUATION = "&|;<>()"


class UnfilledError(Exception):
    """A line has a placeholder for which no value is known."""


@dataclass(frozen=True)
class Simple:
    """One command: its words, and what stands behind it (`| cat`, `> file`)."""

    words: tuple[str, ...]
    behind: tuple[str, ...] = ()


def filled(line: str, values: Mapping[str, str]) -> str:
    """Put values where the line has placeholders; raise UnfilledError where one is not known.

    `<…>` is always a placeholder; other keys of `values` are words, as JOB or BUCKET, wherever they stand alone.
    """
    for name, value in values.items():
        whole = re.escape(name) if name.startswith("<") else rf"(?<![\w-]){re.escape(name)}(?![\w-])"
        line = re.sub(whole, value.replace("\\", r"\\"), line)
    if left := _PLACEHOLDER.search(line):
        message = f"{left[0]} stands for nothing that tests/docs/walk.py knows: add a value to `Walk.values`"
        raise UnfilledError(message)
    return line


def simple_commands(line: str) -> list[Simple]:
    """Cut a line without placeholders at `&&`, and its comment off; the words of each command, unquoted."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=_PUNCTUATION)
    reader.whitespace_split = True
    reader.commenters = "#"
    commands: list[list[str]] = [[]]
    for word in reader:
        if word == "&&":
            commands.append([])
        else:
            commands[-1].append(word)
    return [_simple(words) for words in commands]


def _simple(words: list[str]) -> Simple:
    ends = [index for index, word in enumerate(words) if set(word) <= set(_PUNCTUATION)]
    end = ends[0] if ends else len(words)
    return Simple(tuple(words[:end]), tuple(words[end:]))
