"""`batchdrop forget`: remove a recipe, a file, rows, or all rows about a subject, for good."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batchdrop.cli.console import UNDECIDED, CommandOutput, usage_error
from batchdrop.cli.options import Endpoint, Json, Region, Stack


def forget(  # noqa: PLR0913 -- one for each option
    file: Annotated[
        str,
        typer.Argument(
            metavar="[JOB|KEY]",
            help="Forget one file: a job's id, or the file's key in the bucket, such as inbox/sentiment/reviews.csv.",
            show_default=False,
        ),
    ] = "",
    rows: Annotated[str | None, typer.Option(help="Only these rows of the file, such as 17,201 or 17-20.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Forget all files and answers of this recipe; with --subject, one subject's.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="With --recipe: all rows whose `subject` column has this value.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="With --subject: its column. Default: `subject` of the recipe in the bucket.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it. Without this, only what would go is shown.")] = False,
    uploads: Annotated[
        bool, typer.Option("--uploads", help="Also delete dropped files that have such rows, with their other rows.")
    ] = False,
    unnamed: Annotated[
        bool, typer.Option("--unnamed", help="With --subject: also stored answers that name no subject.")
    ] = False,
    local: Annotated[bool, typer.Option("--local", help="Only what is on this machine, in OUT; use no stack.")] = False,
    out: Annotated[Path, typer.Option(help="The folder of outputs, runs and tries on this machine.")] = Path("out"),
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    json: Json = False,
) -> None:
    """Forget rows, a file or a recipe: answers, outputs, job files, all their versions, and what is in OUT.

    Without --yes, nothing is removed. A command that was stopped can be repeated.
    Exit code: 0 complete, or only shown; 1 it failed; 2 wrong usage; 3 something is left, and the report says what.
    """
    if bool(file) == bool(recipe):
        usage_error("name one file (JOB or KEY), or a recipe with --recipe")
    if subject is not None and not (recipe and subject.strip()):
        usage_error("--subject needs --recipe, and a value")
    if rows and not file:
        usage_error("--rows needs the file: a JOB or its KEY")
    if (column or unnamed) and subject is None:
        usage_error("--column and --unnamed belong to --subject")
    if local and (stack or region or endpoint_url):
        usage_error("use either --local or a stack")
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.forget.forgetting import Named, forget_all
        from batchdrop.cli.forget.removed import report_lines

        named = Named(file, rows, recipe, subject, column, unnamed)
        where = None if local else (stack, region, endpoint_url)
        report = forget_all(named, stack=where, out=out, is_dry=not yes, takes_uploads=uploads)
        if json:
            output.document(report)
        else:
            typer.echo("\n".join(report_lines(report)))
    if yes and report.left:
        raise typer.Exit(UNDECIDED)
