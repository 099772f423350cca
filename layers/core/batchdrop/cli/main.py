"""`batchdrop`: run a file through the application, or keep the application running, on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from batchdrop.cli import commands, local_commands
from batchdrop.cli.console import FAILED as JOB_FAILED
from batchdrop.cli.console import CommandOutput, usage_error
from batchdrop.cli.options import Endpoint, Files, JobId, Json, Region, Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchdrop.cli.deployment import Deployment

Result = TypeVar("Result")  # what a command returns

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:  # noqa: FBT001 -- typer calls it so
    if value:
        from importlib.metadata import version

        typer.echo(f"batchdrop {version('batchdrop')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Drop a file into a bucket; get it back with Claude's answer to each row."""


for local in (local_commands.run, local_commands.demo, local_commands.up):
    app.command()(local)


@app.command()
def check(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a .yaml file; or a file of ready requests, alone.")],
    file: Annotated[Path | None, typer.Argument(help="A file to check with it.")] = None,
    files: Files = None,
    *,
    exact: Annotated[bool, typer.Option("--exact", help="Have the tokens of a sample counted by the API.")] = False,
    sample: Annotated[int, typer.Option(min=1, max=2_000, help="With --exact: how many requests to count.")] = 50,
    json: Json = False,
) -> None:
    """Check a recipe; with a file, show the first requests, the rejected rows and the cost.

    No row is sent. If ANTHROPIC_API_KEY is set, the list of models is read. With --exact, a sample of the prompts is
    sent for token counting. Both are free.
    Exit code: 0 all is well, 1 something would be refused, 2 wrong usage.
    """
    for path in (recipe, file):
        if path is not None and not path.is_file():
            usage_error(f"file {path} does not exist")
    if files is not None and not files.is_dir():
        usage_error(f"folder {files} does not exist")
    if exact and file is None and recipe.suffix in {".yaml", ".yml"}:
        usage_error("--exact counts a file's requests; give the file after the recipe")
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.check.checking import Exact, check
        from batchdrop.cli.run.service import service_of

        counting = Exact(service_of(os.environ), sample) if exact else None
        if not check(recipe, file, output, files=files, exact=counting):
            raise typer.Exit(JOB_FAILED)


@app.command()
def cancel(
    job: JobId, stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Cancel a running job: keep its answers, send nothing more."""
    from batchdrop.cli.job import job_control

    _control(job_control.cancel, job_control.as_text, job, stack, region, endpoint_url, CommandOutput(json))


@app.command()
def resume(
    job: JobId, stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Continue a job that failed, was canceled, or has rows that may be paid: send only the rows without an answer."""
    from batchdrop.cli.job import job_control

    _control(job_control.resume, job_control.as_text, job, stack, region, endpoint_url, CommandOutput(json))


@app.command()
def approve(
    job: JobId, stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Approve the sample of a job: send the other rows."""
    from batchdrop.cli.run import approval

    _control(approval.approve, approval.as_text, job, stack, region, endpoint_url, CommandOutput(json))


def _control(
    command: Callable[[Deployment, str], Result],
    as_text: Callable[[Result], str],
    job: str,
    stack: str | None,
    region: str | None,
    endpoint_url: str | None,
    output: CommandOutput,
) -> None:
    with output.reporting_errors():
        from batchdrop.cli.deployment import find_deployment

        result = command(find_deployment(stack, region=region, endpoint_url=endpoint_url), job)
        if output.json:
            output.document(result)
        else:
            typer.echo(as_text(result))


for deployed in (commands.drop, commands.watch, commands.ls, commands.show, commands.fetch, commands.doctor):
    app.command()(deployed)
