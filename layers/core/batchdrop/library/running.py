"""`batchdrop.run`: one table through the whole application on this machine."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import typer
import yaml
from rich.console import Console

from batchdrop.cli.run.dropping import Drop
from batchdrop.cli.run.durable_run import Choice, Terminal, folder_of, run_durably
from batchdrop.cli.run.one_shot import Ran, Run, run_once
from batchdrop.cli.run.service import Service, service_of
from batchdrop.cli.safe_console import SafeConsole
from batchdrop.library.tables import file_of, frame_of, rows_of


@dataclass(frozen=True)
class Result:
    """The end of a job, and the folder of its outputs. `is_emulated`: no API was asked, and nothing was paid."""

    job_id: str
    succeeded: bool
    folder: Path
    summary: dict[str, Any]
    error: str
    is_emulated: bool
    _given: Any = field(repr=False, default=None)

    @property
    def output(self) -> Path:
        """Return the output file: the input's rows in order, with new columns."""
        [output] = self.folder.glob("output.*")
        return output

    @property
    def report(self) -> Path:
        """Return the report, a page for a browser."""
        return self.folder / "report.html"

    @property
    def cost(self) -> Decimal | None:
        """Return the job's cost in dollars; None if a model has no known price."""
        usd = self.summary["cost"]["usd"]
        return None if usd is None else Decimal(str(usd))

    @cached_property
    def failed(self) -> list[dict[str, Any]]:
        """Return the rows without a usable answer, with `_status` and `_error`."""
        return rows_of(self.folder / "failed.jsonl")

    def frame(self) -> Any:
        """Return the output as a table: of pandas or polars if one was given, else of pyarrow."""
        return frame_of(self.output, self._given)


def run(
    table: Any,
    recipe: str | Path | Mapping[str, Any] | None,
    *,
    files: str | Path | None = None,
    out: str | Path = "out",
    unfinished: Literal["resume", "new"] = "resume",
    approve: bool = False,
    progress: bool = True,
) -> Result:
    """Answer each row of a table, on this machine, and return when the job has ended.

    `table` is a path, a table of pandas, polars or pyarrow, or a list of mappings. `recipe` is a path or the recipe's
    keys; None for a file of ready requests. `files` is the folder of the files that rows attach. Requests go to the
    emulator, unless ANTHROPIC_API_KEY names a real service. There, a run that was stopped is `unfinished`: the same
    call goes on with it, and pays nothing twice; "new" starts again. `approve` sends the rows after a recipe's sample.

    A job that fails returns a Result, too: look at `succeeded`. Raises CommandError for a table or recipe that cannot
    be used, StackError if the machine cannot run the stack, and KeyboardInterrupt; what was sent is kept for the next
    call.
    """
    service = service_of(os.environ)
    with tempfile.TemporaryDirectory(prefix="batchdrop-table-") as folder:
        drop = Drop(
            file_of(table, Path(folder)), recipe_file(recipe, Path(folder)), None if files is None else Path(files)
        )
        drop.check()
        one = Run(drop, Path(out), service, service.wait_scale, approves=approve)
        ran = _ran(one, service, SafeConsole(quiet=not progress), is_new=unfinished == "new")
    return Result(ran.job_id, ran.succeeded, ran.folder, ran.summary or {}, ran.error, service.base_url is None, table)


async def arun(table: Any, recipe: str | Path | Mapping[str, Any] | None, **options: Any) -> Result:
    """Do the same as `run` without blocking the event loop."""
    return await asyncio.to_thread(run, table, recipe, **options)


def _ran(one: Run, service: Service, console: Console, *, is_new: bool) -> Ran:
    if service.base_url is None:
        return run_once(one, console)
    has_state = folder_of(one).path.exists()
    choice = Choice.NEW if is_new else Choice.RESUME if has_state else Choice.ASK
    try:
        return run_durably(one, choice, Terminal(console, ("batchdrop.run",)))
    except typer.Exit as stopped:
        raise KeyboardInterrupt from stopped


def recipe_file(recipe: str | Path | Mapping[str, Any] | None, folder: Path) -> Path | None:
    """Return a recipe as a file: its path, or a new file in `folder` with these keys."""
    if recipe is None or isinstance(recipe, str | Path):
        return None if recipe is None else Path(recipe)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**recipe}, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
