"""Our own list of phrases that have to be read twice: `phrases.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.prose.findings import Finding, Prose

LIST = Path(__file__).with_name("phrases.toml")
# A line's end within a paragraph: the next line is not blank, and begins no item, row, heading or quotation.
_WRAP = re.compile(r"\n(?=[ \t]*(?![-*+|#>]|\d+\.\s)\S)")


@dataclass(frozen=True)
class Phrase:
    """A pattern, what to write instead, and sentences of which it catches the bad ones only.

    `has` are texts in small letters, one of which is in each match. Most prose has none, and is not searched.
    """

    pattern: str
    has: list[str]
    instead: str
    bad: str
    good: str = ""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Return the compiled pattern. It takes no notice of case, unless it says `(?-i:…)`."""
        return re.compile(self.pattern.replace(" ", "[ \t]+"), re.IGNORECASE | re.MULTILINE)


def read_phrases() -> list[Phrase]:
    """Return the list."""
    return [Phrase(**fields) for fields in tomllib.loads(LIST.read_text(encoding="utf-8"))["phrase"]]


def found_phrases(prose: Prose, phrases: Iterable[Phrase]) -> Iterator[Finding]:
    """Yield each phrase of the list that the prose has, also where a line ends within it."""
    text = _WRAP.sub(" ", prose.text)
    small = text.lower()
    for phrase in phrases:
        if not any(word in small for word in phrase.has):
            continue
        for found in phrase.regex.finditer(text):
            said = " ".join(found[0].split())
            yield Finding(prose.path, prose.line_of(found.start()), f"'{said}': {phrase.instead}")
