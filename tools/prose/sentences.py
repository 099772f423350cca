"""Sentences that are too long to be read once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.prose.findings import Finding, Prose

MAX_WORDS = 25  # aim at 12 to 18
_PARAGRAPH = re.compile(r"(?:^(?![|#])[^\n]*\S[^\n]*\n?)+", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d+\.)[ \t]+", re.MULTILINE)
_SENTENCE = re.compile(r"(?:[^.?!:;]|[.?!:;](?!\s|$|\*\*))+")
_WORD = re.compile(r"[\w`][\w`'’/.,-]*")


def long_sentences(prose: Prose) -> Iterator[Finding]:
    """Yield the sentences of a page's paragraphs over MAX_WORDS. A colon or semicolon also ends a sentence."""
    for paragraph in _PARAGRAPH.finditer(_ITEM.sub(_own_paragraph, prose.text)):
        for sentence in _SENTENCE.finditer(paragraph[0]):
            words = len(_WORD.findall(sentence[0]))
            if words > MAX_WORDS:
                start = " ".join(sentence[0].split())[:50]
                line = prose.line_of(paragraph.start() + sentence.start() + 1)
                yield Finding(prose.path, line, f"a sentence of {words} words: '{start}…'. Make it two")


def _own_paragraph(item: re.Match[str]) -> str:
    """Return the item's marker as the end of what comes before it, in as many characters."""
    return "." + " " * (len(item[0]) - 1)
