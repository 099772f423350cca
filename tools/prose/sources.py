"""Prose of sources: docstrings, comments and messages of Python; comments and descriptions of YAML; words of pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from tools.prose.findings import Prose, prose_of

Span = tuple[int, int]
# A comment, or a string of any kind; the text is a group of its own. tokenize takes fifty times as long.
_PYTHON = re.compile(
    r"""#([^\n]*)|\"{3}((?:[^\\]|\\.)*?)\"{3}|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'""", re.DOTALL
)
# A comment, or the value of a key that people read.
_YAML = re.compile(r"#([^\n]*)|(?:Description|Comment): ([^\n]*)")
_JINJA_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>", re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")


def prose_of_source(path: str, source: str) -> Prose:
    """Return the prose of a `.py`, `.yaml` or `.j2` file. Raises KeyError for another kind of file."""
    spans = _SPANS[path.rpartition(".")[2]](source)
    return prose_of(path, _CODE.sub(lambda code: f"`{'x' * (len(code[0]) - 2)}`", _only(source, spans)))


def _python(source: str) -> Iterator[Span]:
    return (found.span(found.lastindex or 0) for found in _PYTHON.finditer(source))


def _yaml(source: str) -> Iterator[Span]:
    return (found.span(found.lastindex or 0) for found in _YAML.finditer(source))


def _jinja(source: str) -> Iterator[Span]:
    start = 0
    for code in _JINJA_CODE.finditer(source):
        yield start, code.start()
        start = code.end()
    yield start, len(source)


_SPANS: dict[str, Callable[[str], Iterable[Span]]] = {"py": _python, "yaml": _yaml, "j2": _jinja}


def _only(source: str, spans: Iterable[Span]) -> str:
    kept, end = [], 0
    for start, stop in spans:
        kept += [_blank(source[end:start]), source[start:stop]]
        end = stop
    return "".join([*kept, _blank(source[end:])])


def _blank(code: str) -> str:
    """Return as many line ends, so that a line's number stays what it is; text that goes on stays in reach."""
    return "\n" * code.count("\n") or " "
