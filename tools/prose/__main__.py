"""Check the prose of the project, offline and in a second or two: `python -m tools.prose`.

Pages: our list of phrases, the length of sentences and lines, and proselint. Sources: the list of phrases.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.prose.findings import Finding
from tools.prose.markdown import long_lines, prose_of_page
from tools.prose.phrases import Phrase, found_phrases, read_phrases
from tools.prose.sentences import long_sentences
from tools.prose.sources import prose_of_source
from tools.prose.style import found_by_proselint

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/**/*.md", "layers/core/batchdrop/local/claude_api/README.md")
# Sources whose docstrings, comments and messages are checked: `.py`, `.yaml` and `.j2`.
SOURCES = (
    "layers/core/batchdrop/**/*.py",
    "layers/core/batchdrop/**/*.j2",
    "functions/**/*.py",
    "template.yaml",
    "statemachines/*.yaml",
    "tools/**/*.py",
    "benchmarks/**/*.py",
)


def findings(root: Path) -> Iterator[Finding]:
    """Yield what is wrong in a checkout's pages and sources."""
    phrases = read_phrases()
    for path, text in _files(root, PAGES):
        yield from in_page(path, text, phrases)
    for path, text in _files(root, SOURCES):
        yield from found_phrases(prose_of_source(path, text), phrases)


def in_page(path: str, text: str, phrases: list[Phrase]) -> Iterator[Finding]:
    """Yield what is wrong in a page."""
    prose = prose_of_page(path, text)
    yield from long_lines(path, text)
    yield from found_phrases(prose, phrases)
    yield from long_sentences(prose)
    yield from found_by_proselint(prose)


def _files(root: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for path in sorted({file for pattern in patterns for file in root.glob(pattern)}):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def main() -> int:
    """Print the findings; return the exit code."""
    found = sorted(findings(ROOT))
    for one in found:
        print(f"{one.path}:{one.line}: {one.message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
