"""Read a recipe's file: faults have lines and columns, and mistakes of YAML are explained in a writer's words."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from batchdrop.errors import RecipeRejected
from batchdrop.recipe.keys import Recipe
from batchdrop.recipe.recipe import parse_recipe

# What PyYAML says, and what its writer should do; the first that matches counts.
_ADVICE = (
    (r"character '\\t'", "a tab is where spaces are needed; use spaces, not tabs"),
    (r"character '.' that cannot start|alias|unhashable", "the value begins with a sign that YAML reads; quote it"),
    (
        r"mapping values are not allowed",
        "the value holds a second ': ', or the line is indented too far; quote the value, or align the key",
    ),
    (r"could not find expected ':'", "the line has no ': ' after its key; add it, or indent a text that continues"),
    (
        r"while scanning a quoted scalar",
        "the closing quote is missing; a quote inside the text is written twice",
    ),
    (r"while parsing a flow", "a closing bracket or a comma is missing; quote texts with { } [ ] or ,"),
    (r"expected <block end>", "the line is not indented like those above; indent all keys of a mapping alike"),
)


def parse_recipe_file(body: bytes, *, name: str) -> Recipe:
    """Return the recipe in a YAML file. Raises RecipeRejected with each fault's line and column."""
    try:
        return parse_recipe(_fields(body, name), name=name)
    except RecipeRejected as refusal:
        raise with_places(refusal, body, name=name) from refusal


def with_places(refusal: RecipeRejected, body: bytes, *, name: str) -> RecipeRejected:
    """Return a recipe's error with the line and column of each key that it names, as far as the file has it."""
    first, *faults = str(refusal).removeprefix(f"{name}: ").split("\n  ")
    told = (
        [first, *(f"{_place_of(fault, body)}{fault}" for fault in faults)]
        if faults
        else [_place_of(first, body) + first]
    )
    return RecipeRejected(f"{name}: " + "\n  ".join(told))


def _fields(body: bytes, name: str) -> Any:
    try:
        return yaml.load(body, _Loader)  # noqa: S506 -- a SafeLoader
    except yaml.MarkedYAMLError as error:
        message = f"{name}: {_place(error)}{_explained(error, body.decode(errors='replace').splitlines())}"
        raise RecipeRejected(message) from error
    except yaml.reader.ReaderError as error:
        raise RecipeRejected(f"{name}: {_unreadable(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-45
        message = f"{name}: it is not YAML: {' '.join(str(error).split())}"
        raise RecipeRejected(message) from error


def _unreadable(error: yaml.reader.ReaderError) -> str:
    """Return what is wrong with a character that YAML cannot read."""
    if error.encoding == "unicode":
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return f"character {error.position + 1:,} (U+{code:04X}) cannot be in a recipe; remove it"
    return f"byte {error.position + 1:,} is not UTF-8 text; save the recipe as UTF-8"


def _place_of(fault: str, body: bytes) -> str:
    """Return the line and column of the key that a fault begins with; nothing if it names none."""
    named = re.match(r"(?:unknown )?key '([^']+)'", fault)
    mark = _key_mark(yaml.compose(body, yaml.SafeLoader), named[1]) if named else None
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _key_mark(node: yaml.Node | None, path: str) -> yaml.Mark | None:
    """Return the place of a path such as `messages[0].role`, or of the last part of it that is there."""
    mark = None
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
            mark = node.start_mark
        elif key and isinstance(node, yaml.MappingNode):
            found = next(((own, value) for own, value in node.value if own.value == key), None)
            if found is None:
                break
            mark, node = found[0].start_mark, found[1]
    return mark


class _Loader(yaml.SafeLoader):
    """Refuses keys that are there twice: YAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if (
                isinstance(key, yaml.ScalarNode)
                and lines.setdefault(key.value, key.start_mark.line) != key.start_mark.line
            ):
                problem = f"key '{key.value}' is there twice, first in line {lines[key.value] + 1}; remove one"
                raise _TwiceError(problem=problem, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


class _TwiceError(yaml.MarkedYAMLError):
    """A mapping has a key twice."""


def _place(error: yaml.MarkedYAMLError) -> str:
    is_open = re.search("quoted scalar|simple key", str(error.context)) is not None
    mark = error.context_mark if is_open or error.problem_mark is None else error.problem_mark
    return "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "


def _explained(error: yaml.MarkedYAMLError, lines: list[str]) -> str:
    if isinstance(error, _TwiceError):
        return str(error.problem)
    told = f"{error.context or ''} {error.problem or ''}".strip()
    advice = _advice_on_line(error.problem_mark, lines) or next(
        (advice for pattern, advice in _ADVICE if re.search(pattern, told)), ""
    )
    return f"{advice} (YAML: {told})" if advice else f"it is not YAML: {told}"


def _advice_on_line(mark: yaml.Mark | None, lines: list[str]) -> str:
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if braces := re.match(r"(\s*(?:- )?[\w.-]+:) *(\{\{.*)", line):
        return f"a value that begins with {{{{ is quoted: {braces[1].strip()} '{braces[2].strip()}'"
    if mark is not None and re.match(r"\s*(?:- )?[\w.-]+: *['\"{\[].*['\"}\]]\s*$", line[: mark.column]):
        return "text follows a value that has ended; quote the whole value, and write its own quotes twice"
    return ""
