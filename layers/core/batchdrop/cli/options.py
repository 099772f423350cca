"""Options that several commands share."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from batchdrop.cli.console import usage_error

Stack = Annotated[
    str | None,
    typer.Option(
        envvar="BATCHDROP_STACK",
        help="The CloudFormation stack's name. Default: the `batchdrop up` on this machine, else batchdrop.",
    ),
]
Region = Annotated[str | None, typer.Option(help="The AWS region; default: your configuration's.")]


def _address(value: str | None) -> str | None:
    """Return an address unchanged. Raises typer.BadParameter for what is none."""
    if value is None or re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        return value
    raise typer.BadParameter(f"{value!r} is not an address; write one such as http://127.0.0.1:4566")


Endpoint = Annotated[
    str | None,
    typer.Option(
        callback=_address,
        envvar="BATCHDROP_ENDPOINT_URL",
        help="The AWS endpoint that `batchdrop up` printed; needed only if several run.",
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        metavar="anthropic|aws",
        envvar="BATCHDROP_PROVIDER",
        help="aws is Claude Platform on AWS: your AWS credentials sign, in workspace ANTHROPIC_AWS_WORKSPACE_ID.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write only JSON to stdout.")]
JobId = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="The job's id, or a unique start of the id or of its last part. Default: the newest job.",
        show_default=False,
    ),
]
Files = Annotated[
    Path | None, typer.Option(help="The folder of the files that the rows attach: `files/` in the bucket.")
]


def _most_failed(value: str | None) -> str | None:
    """Return a limit unchanged. Raises typer.BadParameter for what is none."""
    from batchdrop.cli.run.most_failed import MostFailed

    if value is None or MostFailed.parsed(value):
        return value
    raise typer.BadParameter(f"{value!r} is not a limit; write a share such as 1%, or a number of rows such as 10")


MaxFailed = Annotated[
    str | None,
    typer.Option(
        callback=_most_failed,
        metavar="LIMIT",
        help="With --wait: exit code 4 if more rows have no usable answer, such as 1% or 10.",
    ),
]
Open = Annotated[bool, typer.Option("--open", help="Open the report in a browser in the end.")]
WaitScale = Annotated[
    float | None,
    typer.Option(min=0.0001, max=1.0, help="Multiply every wait by this. Default: 0.02 with the emulator, else 1."),
]
Given = Annotated[
    Path,
    typer.Argument(metavar="RECIPE", help="The recipe, a .yaml file. A file of ready requests stands alone, here."),
]
GivenFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="CSV, TSV, JSONL, JSON, Parquet, xlsx or text; with `input: files`, a document or an image.",
        show_default=False,
    ),
]

RecipeOption = Annotated[Path | None, typer.Option("--recipe", help="The recipe, if it is not before the file.")]


def recipe_and_file(given: Path, file: Path | None, recipe: Path | None) -> tuple[Path | None, Path]:
    """Return the recipe and the file of `RECIPE FILE`, or of `FILE --recipe RECIPE`; in the other order, too."""
    if file is None:
        return recipe, given
    if recipe is not None:
        usage_error("the recipe is given twice: before the file, and with --recipe")
    return (file, given) if is_recipe_name(file.name) and not is_recipe_name(given.name) else (given, file)


def refuse_missing(*paths: Path | None) -> None:
    """End the command if one of these files does not exist, or is a folder."""
    for path in paths:
        if path is not None and not path.is_file():
            missing = f"file {path} does not exist{windows_hint(path)}"
            usage_error(f"{path} is a folder; name a file in it" if path.is_dir() else missing)


def windows_hint(path: Path) -> str:
    """Return how to write a path of Windows here; empty for other paths, and on Windows."""
    if os.sep == "\\" or "\\" not in str(path):
        return ""
    return "; write the path with / (in WSL, C:\\ is /mnt/c/), and without quotes a shell drops each \\"


def is_recipe_name(name: str) -> bool:
    """Return whether a file is a recipe by its name."""
    return name.lower().endswith((".yaml", ".yml"))
