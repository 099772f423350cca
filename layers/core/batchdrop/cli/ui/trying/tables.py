"""The tables of a folder, to open one of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from batchdrop.adapters.formats.choice import FileFormats
from batchdrop.answers.columns import NewColumns
from batchdrop.errors import JobFault
from batchdrop.job.upload import parse_inbox_key
from batchdrop.recipe.recipe import Input

MOST_TABLES = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A file that can be read as a table. `size` is in bytes."""

    path: Path
    size: int
    modified: datetime


def tables_in(folder: Path) -> list[Table]:
    """Return the tables directly in a folder, the newest first; their names decide, nothing is read."""
    found = []
    for path in folder.iterdir():
        with suppress(OSError):
            if path.is_file() and not path.name.startswith(".") and _is_table(path.name):
                stat = path.stat()
                found.append(Table(path, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC)))
    return sorted(found, key=lambda table: table.modified, reverse=True)[:MOST_TABLES]


def _is_table(name: str) -> bool:
    try:
        FileFormats().reader(parse_inbox_key(f"inbox/{name}"), Input(), NewColumns())
    except JobFault:
        return False
    return True
