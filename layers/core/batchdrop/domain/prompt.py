"""A recipe's prompt: a Jinja template, sandboxed and strict, compiled once."""

from collections.abc import Mapping
from typing import Any

import jinja2
import jinja2.meta
import jinja2.sandbox

from batchdrop.errors import RecipeRejected

ROW = "row"  # {{ row["any column name"] }} reaches columns whose names are no identifiers


class RowUnaskable(Exception):  # a fate of one row, caught where rows are read; never leaves the use case
    """This row cannot become a request; the message is the reason that the user reads."""


class Prompt:
    """A compiled prompt. Errors of the template are the recipe's; errors of rendering are the row's."""

    def __init__(self, source: str, *, name: str) -> None:
        environment = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        try:
            syntax = environment.parse(source)
            self._template = environment.from_string(source)  # finds unknown filters and tests
        except jinja2.TemplateSyntaxError as error:
            message = f"{name}: key 'prompt', line {error.lineno}: {error.message}"
            raise RecipeRejected(message) from error
        self._name = name
        self.variables = frozenset(jinja2.meta.find_undeclared_variables(syntax)) - set(environment.globals) - {ROW}

    def check_columns(self, columns: list[str], *, filename: str) -> None:
        """Raise RecipeRejected if the prompt names a column that the file's header does not have."""
        missing = sorted(self.variables.difference(columns))
        if missing:
            message = (
                f"{self._name}: the prompt asks for column '{missing[0]}', which {filename} does not have "
                f"(columns: {', '.join(columns)}). Fix the recipe's prompt or the header."
            )
            raise RecipeRejected(message)

    def render(self, cells: Mapping[str, Any]) -> str:
        """Fill the prompt with one row. Raises RowUnaskable with the reason."""
        try:
            text = self._template.render({ROW: cells, **cells})
        except jinja2.UndefinedError as error:
            reason = f"the prompt needs what this row does not have: {error.message} (columns: {', '.join(cells)})"
            raise RowUnaskable(reason) from error
        except Exception as error:  # a template can raise anything (1/0, bad filter argument); the row bears it
            # The error's own text may quote the row, and reasons can end up in logs.
            reason = f"the prompt cannot be filled with this row ({type(error).__name__}); check its filters and types"
            raise RowUnaskable(reason) from error
        if not text.strip():
            reason = "the prompt is blank for this row; the API refuses empty messages"
            raise RowUnaskable(reason)
        return text
