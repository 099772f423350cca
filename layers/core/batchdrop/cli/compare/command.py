"""The command `batchdrop compare`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from batchdrop.cli.console import FAILED, CommandOutput, usage_error
from batchdrop.cli.options import Files, Json, is_recipe_name, refuse_missing

MOST_RECIPES = 8
PAGE = "compare.html"


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="RECIPE RECIPE... FILE", help="Two to eight recipes, and the file.", show_default=False),
    ],
    rows: Annotated[int, typer.Option("-n", "--rows", min=1, max=1_000, help="How many random rows to answer.")] = 200,
    files: Files = None,
    out: Annotated[
        Path, typer.Option(help="The page is OUT/compare.html; answers are kept in OUT/tried.sqlite.")
    ] = Path("out"),
    *,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser in the end.")] = False,
    json: Json = False,
) -> None:
    """Answer the same random rows with several recipes: what each costs, and how often they agree.

    The first recipe is the reference. Requests go live, like those of `try`, and share its answers: nothing is paid
    twice. If a recipe names `gold`, its accuracy is shown.
    Exit code: 0 each recipe answered all rows, 1 some rows have no answer, 2 wrong usage.
    """
    recipes, file = _parted(paths)
    refuse_missing(*recipes, file)
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.adapters.pages.html_pages import compared_page
        from batchdrop.cli.compare.compare_page import page_view
        from batchdrop.cli.compare.compare_view import print_compared
        from batchdrop.cli.compare.comparing import Comparing, compared
        from batchdrop.cli.run.service import service_of

        service = service_of(os.environ)
        output.console.print(service.description, highlight=False, soft_wrap=True)
        with output.console.status(f"answering {rows} rows with {len(recipes)} recipes ..."):
            ended = compared(Comparing(recipes, file, rows, files, out), service)
        page = out / PAGE
        page.write_bytes(compared_page(page_view(ended)))
        if json:
            output.document(ended)
        else:
            print_compared(ended, output.console)
            output.console.print(f"\nthe page: {page}", highlight=False, soft_wrap=True)
        if opens:
            import webbrowser

            webbrowser.open(page.resolve().as_uri())
        if not ended.is_whole:
            raise typer.Exit(FAILED)


def _parted(paths: list[Path]) -> tuple[list[Path], Path]:
    """Return the recipes, and the file. Ends the command if they are too few or too many."""
    recipes = [path for path in paths if is_recipe_name(path.name)]
    tables = [path for path in paths if not is_recipe_name(path.name)]
    if len(tables) != 1:
        found = ", ".join(map(str, tables)) or "none"
        usage_error(f"give exactly one file beside the recipes (.yaml); found: {found}")
    if not 1 < len(recipes) <= MOST_RECIPES:
        usage_error(f"give 2 to {MOST_RECIPES} recipes to compare; `batchdrop try` answers rows with one")
    return recipes, tables[0]
