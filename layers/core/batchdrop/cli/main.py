"""`batchdrop`: run a file through the application, or keep the application running, on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from batchdrop.cli import commands
from batchdrop.cli.console import FAILED as JOB_FAILED
from batchdrop.cli.console import USAGE_ERROR, CommandOutput
from batchdrop.cli.options import Endpoint, JobId, Json, Region, Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchdrop.cli.deployment import Deployment
    from batchdrop.cli.run.dropping import Drop
    from batchdrop.cli.run.service import Service

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


WaitScale = Annotated[
    float | None,
    typer.Option(min=0.0001, max=1.0, help="Multiply every wait by this. Default: 0.02 with the emulator, else 1."),
]


Files = Annotated[
    Path | None, typer.Option(help="The folder of the files that the rows attach: `files/` in the bucket.")
]


@app.command()
def run(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, JSONL, JSON, Parquet, xlsx or text; with `input: files`, a document or an image."
        ),
    ],
    recipe: Annotated[
        Path | None, typer.Option(help="The recipe, a .yaml file; not needed for ready requests.")
    ] = None,
    files: Files = None,
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"),
    shard_rows: Annotated[int | None, typer.Option(min=1, max=100_000, help="The most rows in one shard.")] = None,
    wait_scale: WaitScale = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Continue after the recipe's sample without asking.")] = False,
    json: Json = False,
) -> None:
    """Run one file through the whole application on this machine, and write its output to a folder.

    Requests go to the emulator, unless ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL) name a real service.
    With a sample in the recipe, a terminal asks whether to continue; elsewhere, the run ends after the sample, unless
    --yes is given.
    Exit code: 0 the job succeeded (rows may have failed), 1 it failed, 2 wrong usage.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.dropping import Drop
        from batchdrop.cli.run.service import service_of

        _run(Drop(file, recipe, files), out, service_of(os.environ), wait_scale, shard_rows, output, approves=yes)


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out")) -> None:
    """Run examples/reviews.csv, always against the emulator."""
    output = CommandOutput()
    with output.reporting_errors():
        from batchdrop.cli.run.dropping import Drop
        from batchdrop.cli.run.service import Service
        from batchdrop.local.application import application_folder

        examples = application_folder() / "examples"
        example = Drop(examples / "reviews.csv", examples / "recipes" / "sentiment.yaml")
        _run(example, out, Service(), None, 100, output)


@app.command()
def check(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a .yaml file.")],
    file: Annotated[Path | None, typer.Argument(help="A file to check with it.")] = None,
    files: Files = None,
    *,
    exact: Annotated[bool, typer.Option("--exact", help="Have the tokens of a sample counted by the API.")] = False,
    sample: Annotated[int, typer.Option(min=1, max=2_000, help="With --exact: how many requests to count.")] = 50,
    json: Json = False,
) -> None:
    """Check a recipe; with a file, show the first requests, the rejected rows and the cost.

    Nothing is sent. With --exact, a sample of the prompts is sent for token counting, which is free.
    Exit code: 0 all is well, 1 something would be refused, 2 wrong usage.
    """
    for path in (recipe, file):
        if path is not None and not path.is_file():
            _usage_error(f"file {path} does not exist")
    if files is not None and not files.is_dir():
        _usage_error(f"folder {files} does not exist")
    if exact and file is None:
        _usage_error("--exact counts a file's requests; give the file after the recipe")
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.check.checking import Exact, check
        from batchdrop.cli.run.service import service_of

        counting = Exact(service_of(os.environ), sample) if exact else None
        if not check(recipe, file, output, files=files, exact=counting):
            raise typer.Exit(JOB_FAILED)


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the AWS endpoint; default: a free one.")
    ] = None,
    wait_scale: WaitScale = None,
    *,
    json: Json = False,
) -> None:
    """Keep the application running on this machine until Ctrl-C, and print how to drop files into it.

    While it runs, `drop`, `watch`, `ls` and the others find it automatically. With --json, one line has its addresses.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.keep_up import keep_up
        from batchdrop.cli.run.service import service_of

        service = service_of(os.environ)
        keep_up(service, output, port=port, wait_scale=wait_scale or service.wait_scale)


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


def _run(
    drop: Drop,
    out: Path,
    service: Service,
    wait_scale: float | None,
    shard_rows: int | None,
    output: CommandOutput,
    *,
    approves: bool = False,
) -> None:
    from batchdrop.cli.run.one_shot import Run, run_once

    drop.check()
    one = Run(drop, out, service, wait_scale or service.wait_scale, shard_rows, approves)
    ran = run_once(one, output.console)
    if output.json:
        output.document(ran)
    if not ran.succeeded:
        raise typer.Exit(JOB_FAILED)


def _usage_error(message: str) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(USAGE_ERROR)
