"""The command `batchdrop save`."""

from __future__ import annotations

import os
import shlex
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli import local_commands
from batchdrop.cli.console import FAILED, CommandOutput, usage_error
from batchdrop.cli.options import (
    Files,
    Given,
    GivenFile,
    Json,
    Provider,
    RecipeOption,
    WaitScale,
    recipe_and_file,
    refuse_missing,
)

if TYPE_CHECKING:
    from batchdrop.cli.save.searching import Saved

PAGE = "save.html"


def save(
    given: Given,
    file: GivenFile = None,
    recipe: RecipeOption = None,
    files: Files = None,
    out: Annotated[
        Path, typer.Option(help="The page is OUT/save.html, the certified recipe OUT/saved/RECIPE; answers are kept.")
    ] = Path("out"),
    wait_scale: WaitScale = None,
    provider: Provider = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Run the file with the certified model without asking.")] = False,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    json: Json = False,
) -> None:
    """Find the cheapest model that provably agrees with the recipe's own on your file, and run the file with it.

    The recipe's key `save` says how well it must agree, and which models to try. Requests for the comparison go live.
    A terminal asks before the file is run; elsewhere, give --yes, or `continue_under_usd` in the recipe. With --json,
    the file is not run.
    Exit code: 0 a model is certified (and the job succeeded, if the file was run), 1 none is, or the job failed,
    2 wrong usage.
    """
    named, table = recipe_and_file(given, file, recipe)
    if named is None:
        usage_error("give a recipe with `save`, and a file")
    refuse_missing(named, table)
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.adapters.pages.html_pages import compared_page
        from batchdrop.cli.run.service import service_of, with_provider
        from batchdrop.cli.save.save_view import document, print_saved, saved_view, verdict
        from batchdrop.cli.save.saved_recipe import write_recipe
        from batchdrop.cli.save.searching import Saving, searched

        service = service_of(with_provider(os.environ, provider))
        output.console.print(service.description, highlight=False, soft_wrap=True)
        with output.console.status("comparing models ..."):
            ended = searched(Saving(named, table, files, out), service)
        page = out / PAGE
        page.write_bytes(compared_page(saved_view(ended)))
        model = ended.model or ended.compared.plans[0].model
        written = write_recipe(named, model, out, f"{verdict(ended)} ({table.name}; `batchdrop save`)")
        if json:
            output.document({"saved": document(ended), "page": str(page), "recipe": str(written)})
        else:
            print_saved(ended, output.console)
            output.console.print(f"\nthe page: {page}", highlight=False, soft_wrap=True)
        if opens:
            import webbrowser

            webbrowser.open(page.resolve().as_uri())
        command = shlex.join(["batchdrop", "run", str(written), str(table), *_out(out)])
        if ended.certificate is None:
            output.console.print(
                f"to run the file with {model} all the same: {command}", highlight=False, soft_wrap=True
            )
            raise typer.Exit(FAILED)
        if not is_approved(ended, output, yes=yes):
            output.console.print(f"to run the file with it: {command}", highlight=False, soft_wrap=True)
            return
    local_commands.run(written, table, None, files, out, None, wait_scale, provider, yes=True)


def is_approved(saved: Saved, output: CommandOutput, *, yes: bool) -> bool:
    """Return whether the file is run now: by --yes, under the recipe's ceiling, or because a person says so.

    A model that drifts is never under the ceiling: a person should have seen where.
    """
    if output.json or yes:
        return yes and not output.json
    ceiling = saved.continue_under_usd
    usd = None if saved.drift else saved.model_usd
    if ceiling is not None and usd is not None and usd <= Decimal(str(ceiling)):
        output.console.print(f"within continue_under_usd ({ceiling:g})", highlight=False)
        return True
    is_terminal = output.console.is_terminal and sys.stdin.isatty()
    return is_terminal and typer.confirm("Run the file with it?", default=False)


def _out(out: Path) -> list[str]:
    return [] if out == Path("out") else ["--out", str(out)]
