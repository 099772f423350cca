"""The pages that users read, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.project import ROOT

PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "layers/core/batchdrop/local/claude_api/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_BLOCK = re.compile(r"^```(?P<kind>\w*)[ ]?(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind its fence (`console`, `yaml fragment`), its first line's number, its text."""

    kind: str
    info: str
    line: int
    text: str


@dataclass(frozen=True)
class Typed:
    """A line behind a `$` prompt, and the lines shown as its output."""

    page: Path
    line: int
    text: str
    shown: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """How it ends, as its comment says (`# exit code 1: …`); else well."""
        said = re.search(r"# exit code (\d+)", self.text)
        return int(said[1]) if said else 0

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"{page_name(self.page)}:{self.line}"


def page_name(page: Path) -> str:
    """Return a page's path as it is in the repository."""
    return page.relative_to(ROOT).as_posix()


def read_page(page: Path) -> str:
    """Return a page's text."""
    return page.read_text(encoding="utf-8")


def blocks(text: str, *kinds: str) -> Iterator[Block]:
    """Yield the fenced blocks of these kinds (all, if none is given)."""
    for found in _BLOCK.finditer(text):
        if not kinds or found["kind"] in kinds:
            line = text.count("\n", 0, found.start("text")) + 1
            yield Block(found["kind"], found["info"].strip(), line, found["text"])


def typed_lines(page: Path) -> list[Typed]:
    """Return what a page's console blocks have its reader type, in order."""
    return [typed for block in blocks(read_page(page), "console") for typed in _typed(page, block)]


def _typed(page: Path, block: Block) -> Iterator[Typed]:
    lines = block.text.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"{page_name(page)}:{block.line}: a console block begins with a `$ command`"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Typed(page, block.line + start, lines[start][2:], tuple(lines[start + 1 : end]))


def code_spans(text: str) -> list[str]:
    """Return the inline code of a page, fenced blocks left out."""
    return _CODE.findall(prose(text))


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _BLOCK.sub("", text)
