"""Compile a recipe's prompt: a Jinja template, sandboxed and strict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unicodedata import is_normalized

import jinja2
import jinja2.meta
from jinja2 import nodes

from batchdrop.errors import RecipeRejected, RowRejected
from batchdrop.recipe.words import nearest
from batchdrop.requests.sandbox import Sandbox, spelled, variables

SHOWN = 30  # columns in a message
ROW = "row"  # {{ row["any column name"] }} reaches columns whose names are not identifiers
_PRINTED = re.compile(r"\{\{-?\s*([^{}|\"'()\[\]]+?)\s*(?:\|[^{}]*)?-?\}\}")  # a bare name, with filters or without
_ONE_WORD = re.compile(r"[^\W\d]\w*(?:\.\w+)*")


class Prompt:
    """A compiled prompt. Template errors reject the recipe; rendering errors reject the row.

    `key` is its path in the recipe (`prompt`, `messages[0].content`). A prompt `is_constant` if it uses no column. It
    `is_plain` if it only names columns; then many rows are filled in at once. `named` also has the columns that are
    read as `row["…"]`; `reads_whole_row`: it may read others, too. `blank` says why it must not be blank. `size` is in
    characters of the template.
    """

    def __init__(
        self, source: str, *, name: str, key: str = "prompt", blank: str = "the API refuses empty messages"
    ) -> None:
        environment = Sandbox()
        try:
            syntax = environment.parse(source)
            self._template = environment.from_string(source)  # raises for unknown filters and tests
        except jinja2.TemplateSyntaxError as error:
            advice = _advice_on_names(source)
            message = f"{name}: key '{key}', line {error.lineno}: {error.message}{advice and '.' + advice}"
            raise RecipeRejected(message) from error
        except (RecursionError, MemoryError, SyntaxError) as error:  # Python's own compiler has limits too
            message = f"{name}: key '{key}': the template is nested too deeply; make its expressions shorter"
            raise RecipeRejected(message) from error
        self.key = key
        self._blank = blank
        self.size = len(source)
        self._name = name
        self._called = "the prompt" if key == "prompt" else f"'{key}'"
        names = frozenset(jinja2.meta.find_undeclared_variables(syntax))
        self.variables = names - set(environment.globals) - {ROW}
        items = _items_of_row(syntax)
        self.named = self.variables.union(items)
        self.reads_whole_row = sum(name.name == ROW for name in syntax.find_all(nodes.Name)) > len(items)
        self.is_constant = not names
        self._source = source
        self._form = None if self.reads_whole_row or names - self.variables - {ROW} else _form(syntax)
        self.is_plain = self._form is not None

    def line_of(self, column: str) -> int:
        """Return the line of the template that names a column first; 0 if none does."""
        syntax = Sandbox().parse(self._source)
        names = [node.lineno for node in syntax.find_all(nodes.Name) if node.name == column]
        items = [
            item.lineno
            for item in syntax.find_all(nodes.Getitem)
            if isinstance(item.arg, nodes.Const) and item.arg.value == column
        ]
        return min([*names, *items], default=0)

    def check_columns(self, columns: list[str], *, filename: str, advice: str = "") -> None:
        """Raise RecipeRejected if the prompt names a column that is not in the file's header; `advice` comes last."""
        missing = sorted(self.variables.difference(columns))
        if missing:
            message = (
                f"{self._name}: {self._called} uses column '{missing[0]}', which {filename} does not have"
                f"{nearest(missing[0], columns)} (columns: {_shown(columns)}). "
                f"Fix the recipe's prompt or the header.{_advice_on_names(self._source, columns) or advice}"
            )
            raise RecipeRejected(message)

    def render(self, cells: Mapping[str, Any]) -> str:
        """Return the prompt filled with one row. Raises RowRejected."""
        text = self._filled(cells)
        if text is None:
            text = self._rendered(cells)
        if not text or text.isspace():
            reason = f"{self._called} is blank for this row; {self._blank}"
            raise RowRejected(reason)
        return text

    def render_all(self, rows: Sequence[Mapping[str, Any]]) -> list[str] | None:
        """Return the prompt filled with each row; None if one of the rows must be rendered by itself."""
        if self._form is None:
            return None
        try:
            texts = self._form.fill(rows)
        except (*_UNFIT, RowRejected):
            return None
        return None if any(map(str.isspace, texts)) or not all(texts) else texts

    def _filled(self, cells: Mapping[str, Any]) -> str | None:
        """Return the rendered text of a plain prompt, many times faster than Jinja; None for other prompts."""
        if self._form is None:
            return None
        try:
            return self._form.fill([cells])[0]
        except _UNFIT:
            return None  # the template gives the better error message

    def _rendered(self, cells: Mapping[str, Any]) -> str:
        try:
            text = self._template.render(variables(cells, {ROW: cells}))
            text.encode()  # raises for half a character ('\\ud800'), which a template can write
        except RowRejected:
            raise
        except jinja2.UndefinedError as error:
            reason = f"{self._called} needs a value that the row lacks: {error.message} (columns: {', '.join(cells)})"
            raise RowRejected(reason) from error
        except Exception as error:  # a template can raise anything (1/0, a bad filter argument)
            # The error's own text is left out: it may quote the row, and reasons can end up in logs.
            kind = type(error).__name__
            reason = f"{self._called} cannot be filled with this row ({kind}); check its filters and types"
            raise RowRejected(reason) from error
        return text


def expression(column: str) -> str:
    """Return what reads a column in a template: `{{ review }}`, `{{ row["Customer ID"] }}`."""
    is_word = column.isidentifier() and is_normalized("NFKC", column) and column not in _TAKEN
    return f"{{{{ {column if is_word else _item(column)} }}}}"


# Jinja's own words and functions. A column `row` is read by its name: cells stand before the whole row.
_WORDS = "False None True and as else false for if import in is loop none not or recursive self true with"
_TAKEN = {*Sandbox().globals, *_WORDS.split()}


def _item(column: str) -> str:
    literal = json.dumps(column, ensure_ascii=False)
    return f"{ROW}[{''.join(map(_escaped, literal))}]"


def _escaped(sign: str) -> str:
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"  # JSON's halves of a pair are none to Jinja


def _advice_on_names(source: str, columns: Iterable[str] | None = None) -> str:
    """Return how to write the first column that stands in a template as if its name were one word; else nothing."""
    names = (found[1] for found in _PRINTED.finditer(source) if not _ONE_WORD.fullmatch(found[1]))
    name = next((name for name in names if columns is None or name in columns), None)
    return "" if name is None else f" A column's name that is not one word is written {{{{ {_item(name)} }}}}"


def _shown(columns: list[str]) -> str:
    more = f" and {len(columns) - SHOWN:,} more" if len(columns) > SHOWN else ""
    return ", ".join(columns[:SHOWN]) + more


_UNFIT = (KeyError, ValueError, RecursionError, UnicodeError)  # ValueError: a number of more than 4,300 digits


def _items_of_row(syntax: nodes.Template) -> list[str]:
    """Return the columns that the template reads as `row["…"]`."""
    items = [item for item in syntax.find_all(nodes.Getitem) if isinstance(item.node, nodes.Name)]
    keys = [item.arg for item in items if item.node.name == ROW]  # type: ignore[attr-defined] # it is a Name
    return [key.value for key in keys if isinstance(key, nodes.Const) and isinstance(key.value, str)]


class _Form:
    """A template without logic: texts, and the columns between them; some may be written as `row["…"]`."""

    def __init__(self, text: str, columns: list[str], *, has_items: bool) -> None:
        self._text = text
        self._columns = columns
        self._has_items = has_items

    def fill(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return the text of each row, a column at a time. Raises KeyError if `row` is a column of its own."""
        if not self._columns:
            return [self._text % ()] * len(rows)
        if self._has_items and any(ROW in row for row in rows):
            raise KeyError(ROW)
        values = [_texts([row[column] for row in rows]) for column in self._columns]
        return list(map(self._text.__mod__, zip(*values, strict=True)))


def _texts(values: list[Any]) -> list[str]:
    return values if {*map(type, values)} <= {str} else list(map(spelled, values))


def _form(syntax: nodes.Template) -> _Form | None:
    """Return the template as a form; None if it has any logic."""
    pieces: list[str] = []
    columns: list[str] = []
    has_items = False
    for output in syntax.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            match node:
                case nodes.TemplateData(data=text):
                    pieces.append(text.replace("%", "%%"))
                case nodes.Name(name=name):
                    pieces.append("%s")
                    columns.append(name)
                case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=str(name))):
                    pieces.append("%s")
                    columns.append(name)
                    has_items = True
                case _:
                    return None
    return _Form("".join(pieces), columns, has_items=has_items)
