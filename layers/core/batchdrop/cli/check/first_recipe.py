"""`batchdrop init`: write a first recipe for a file, with its columns, to be edited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.text import Text

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import NewColumns
from batchdrop.cli.check.local_file import LocalFile
from batchdrop.cli.console import CommandError
from batchdrop.job.ports import InputFormat
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input
from batchdrop.requests.prompt import expression
from batchdrop.requests.row import Cursor
from batchdrop.split.ready_made import READY_MADE_FORMATS, is_ready_made

MODEL = "claude-haiku-5-5"
MOST_COLUMNS = 12  # in a first prompt
_LONGEST_LABEL = 60

_RECIPE = """\
# A recipe for {filename}. Say what you want to know, and name the answers. Then:
#   {command}
model: {model}
max_tokens: 256
system: Choose the label that fits the row best.  # the same for all rows
prompt: |
{lines}
answer:  # a new column for each
  label: {{enum: [first, second, other]}}
  reason: {{type: string, description: "why this label, in one short sentence"}}
"""


@dataclass(frozen=True, slots=True)
class FirstRecipe:
    """A recipe that was written, the file's columns, those that its prompt leaves out, and what was found."""

    recipe: Path
    columns: Sequence[str]
    left_out: Sequence[str]
    notes: Sequence[str]
    check: str
    """The command that checks it."""


def write_first_recipe(file: Path, recipe: Path | None = None, *, encoding: str | None = None) -> FirstRecipe:
    """Write a recipe for a table; by default `<name>.yaml` in the current folder.

    Raises CommandError if that file exists or the table needs no recipe, and JobFault if it cannot be read.
    """
    target = recipe or recipe_beside(file)
    if target.exists():
        message = f"{target} exists, and is not overwritten; give another name with --recipe"
        raise CommandError(message)
    written, body = first_recipe(file, target, encoding=encoding)
    target.write_text(body, encoding="utf-8")
    return written


def recipe_beside(file: Path) -> Path:
    """Return where the recipe of a file is by default: in the current folder, under the file's name."""
    return Path(f"{parse_inbox_key(f'inbox/{file.name}').name}.yaml")


def first_recipe(file: Path, target: Path, *, encoding: str | None = None) -> tuple[FirstRecipe, str]:
    """Return a recipe for a table, and its text; nothing is written. Raises as `write_first_recipe`."""
    columns, notes = _read(file, encoding)
    shown = columns[:MOST_COLUMNS]
    command = f"batchdrop check {quote(str(target))} {quote(str(file))}"
    body = _RECIPE.format(
        filename=_printed(file.name), command=_printed(command), model=MODEL, lines="\n".join(map(_line, shown))
    )
    if encoding:
        body += f"input: {{encoding: {json.dumps(encoding)}}}\n"
    return FirstRecipe(target, columns, columns[MOST_COLUMNS:], notes, command), body


def print_first_recipe(written: FirstRecipe, console: Console) -> None:
    """Print where a recipe is, what it has, and what to do next."""
    console.print(Text(f"{written.recipe}: a first recipe for {MODEL}", style="green"), soft_wrap=True)
    for note in written.notes:
        console.print(Text(f"note         {note}", style="yellow"), soft_wrap=True)
    console.print(Text(f"columns      {', '.join(map(_label, written.columns))}"), soft_wrap=True)
    if written.left_out:
        console.print(Text(f"left out     {', '.join(map(_label, written.left_out))}"), soft_wrap=True)
    console.print(Text("edit         its `system` text, and the fields under `answer`"), soft_wrap=True)
    console.print(Text(f"then         {_printed(written.check)}"), soft_wrap=True)


def _read(file: Path, encoding: str | None) -> tuple[list[str], list[str]]:
    source = LocalFile(file)
    reader = FileFormats().reader(parse_inbox_key(f"inbox/{file.name}"), Input(encoding=encoding), NewColumns())
    if reader.name in READY_MADE_FORMATS and is_ready_made(source, reader):
        message = f"{file.name} has ready requests, and needs no recipe: `batchdrop check {quote(str(file))}`"
        raise CommandError(message)
    with closing(reader.row_blocks(source, Cursor())) as blocks:
        first = next(blocks, [])
    return _columns(reader, [row.cells or {} for row in first]), reader.notes


def _columns(reader: InputFormat, rows: Sequence[dict[str, object]]) -> list[str]:
    """Return the header's columns; without a header, as in JSON Lines, those of the first rows."""
    return reader.columns or list(dict.fromkeys(name for row in rows for name in row))


def _line(column: str) -> str:
    return f"  {_label(column)}: {expression(column)}"


def _label(name: str) -> str:
    """Return a name as text of a prompt: short, on one line, without what Jinja would read."""
    return _printed(name).translate(_PARENTHESES)[:_LONGEST_LABEL].strip() or "column"


def _printed(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


_PARENTHESES = str.maketrans("{}", "()")
