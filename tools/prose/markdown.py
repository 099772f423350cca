"""Prose and line lengths of Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.prose.findings import Finding, Prose, prose_of

MAX_COLUMNS = 100
_FENCE = re.compile(r"^ *```")
# Between these markers a tool writes the page.
_GENERATED = re.compile(r"^<!-- (\w+):(start|end) -->$")
_HIDDEN = re.compile(r"(?<!`)`[^`\n]+`(?!`)|(?<=\])\([^)\s]+\)|<!--.*?-->|<[a-z/][^>\n]*>", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")


def prose_of_page(path: str, page: str) -> Prose:
    """Return a page's prose. Inline code is one word, `xxxx`; fences, links' targets and tags are blanks."""
    return prose_of(path, _HIDDEN.sub(lambda found: _placeholder(found[0]), "\n".join(_written(page))))


def long_lines(path: str, page: str) -> Iterator[Finding]:
    """Yield the lines of prose over MAX_COLUMNS. Tables and lines that cannot be wrapped may be longer."""
    for number, line in enumerate(_written(page), 1):
        if len(line) > MAX_COLUMNS and not line.startswith(("|", "#", "![", "[![")) and _can_be_wrapped(line):
            yield Finding(path, number, f"{len(line)} columns: wrap it at {MAX_COLUMNS}")


def _written(page: str) -> Iterator[str]:
    """Yield the page's lines, and empty ones for those in fences and generated blocks."""
    is_fenced = is_generated = False
    for line in page.split("\n"):
        if marker := _GENERATED.match(line):
            is_generated = marker[2] == "start"
        is_fence = bool(_FENCE.match(line))
        is_hidden = is_fence or is_fenced or is_generated
        is_fenced ^= is_fence
        yield "" if is_hidden else line


def _placeholder(hidden: str) -> str:
    if hidden.startswith("`"):
        return f"`{'x' * (len(hidden) - 2)}`"
    return re.sub(r"[^\n]", " ", hidden)


def _can_be_wrapped(line: str) -> bool:
    text = _ITEM.sub("", re.sub(r"`[^`]*`", "`x`", line)).strip()
    return " " in text
