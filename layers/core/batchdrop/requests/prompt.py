"""A recipe's prompt: a Jinja template, sandboxed and strict, compiled once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
import jinja2.meta
from jinja2 import nodes

from batchdrop.errors import RecipeRejected, RowRejected
from batchdrop.requests.sandbox import Sandbox, variables

ROW = "row"  # {{ row["any column name"] }} reaches columns whose names are no identifiers


class Prompt:
    """A compiled prompt. Errors of the template are the recipe's; errors of rendering are the row's.

    `key` is where the recipe has it (`prompt`, `messages[0].content`). `is_constant`: no row changes it. `is_plain`: it
    only names columns, so that many rows can be filled in at once. `size` is the template's, in characters.
    """

    def __init__(self, source: str, *, name: str, key: str = "prompt") -> None:
        environment = Sandbox()
        try:
            syntax = environment.parse(source)
            self._template = environment.from_string(source)  # finds unknown filters and tests
        except jinja2.TemplateSyntaxError as error:
            message = f"{name}: key '{key}', line {error.lineno}: {error.message}"
            raise RecipeRejected(message) from error
        self.key = key
        self.size = len(source)
        self._name = name
        self._called = "the prompt" if key == "prompt" else f"'{key}'"
        names = frozenset(jinja2.meta.find_undeclared_variables(syntax))
        self.variables = names - set(environment.globals) - {ROW}
        self.is_constant = not names
        self._form = _form(syntax) if names <= self.variables else None
        self.is_plain = self._form is not None

    def check_columns(self, columns: list[str], *, filename: str) -> None:
        """Raise RecipeRejected if the prompt names a column that the file's header does not have."""
        missing = sorted(self.variables.difference(columns))
        if missing:
            message = (
                f"{self._name}: {self._called} asks for column '{missing[0]}', which {filename} does not have "
                f"(columns: {', '.join(columns)}). Fix the recipe's prompt or the header."
            )
            raise RecipeRejected(message)

    def render(self, cells: Mapping[str, Any]) -> str:
        """Fill the prompt with one row. Raises RowRejected with the reason."""
        text = self._filled(cells)
        if text is None:
            text = self._rendered(cells)
        if not text or text.isspace():
            reason = f"{self._called} is blank for this row; the API refuses empty messages"
            raise RowRejected(reason)
        return text

    def render_all(self, rows: Iterable[Mapping[str, Any]]) -> list[str] | None:
        """Fill the prompt with many rows, as `render` does; None where one is to be rendered by itself."""
        form = self._form
        if form is None:
            return None
        try:
            texts = [form % cells for cells in rows]
        except _UNFIT:
            return None
        return None if any(map(str.isspace, texts)) or not all(texts) else texts

    def _filled(self, cells: Mapping[str, Any]) -> str | None:
        """Return what the template would render: many times faster, for those that only name columns."""
        if self._form is None:
            return None
        try:
            return self._form % cells
        except _UNFIT:
            return None  # let the template say what is wrong

    def _rendered(self, cells: Mapping[str, Any]) -> str:
        try:
            text = self._template.render(variables(cells, {ROW: cells}))
            text.encode()  # a template can write half a character ('\\ud800'), which has no bytes
        except jinja2.UndefinedError as error:
            reason = f"{self._called} needs what this row does not have: {error.message} (columns: {', '.join(cells)})"
            raise RowRejected(reason) from error
        except Exception as error:  # a template can raise anything (1/0, bad filter argument); the row bears it
            # The error's own text may quote the row, and reasons can end up in logs.
            kind = type(error).__name__
            reason = f"{self._called} cannot be filled with this row ({kind}); check its filters and types"
            raise RowRejected(reason) from error
        return text


_UNFIT = (KeyError, ValueError, RecursionError)  # ValueError: a number of more than 4,300 digits


def _form(syntax: nodes.Template) -> str | None:
    """Return the template in the form of `%`, which fills it from a mapping in one step; None for any logic."""
    pieces = []
    for output in syntax.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            match node:
                case nodes.TemplateData(data=text):
                    pieces.append(text.replace("%", "%%"))
                case nodes.Name(name=name):
                    pieces.append(f"%({name})s")
                case _:
                    return None
    return "".join(pieces)
