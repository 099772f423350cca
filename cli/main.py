"""`batchdrop`: run a file through the application, or keep the application running, on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from cli.deployment import Deployment
    from cli.dropping import Drop
    from cli.service import Service

PROJECT = Path(__file__).resolve().parent.parent
JOB_FAILED = 1
USAGE_ERROR = 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Drop a file into a bucket; get it back with Claude's answer to each row.",
)

WaitScale = Annotated[
    float | None,
    typer.Option(min=0.0001, max=1.0, help="Shorten every wait to this part. Default: 0.02 with the emulator, else 1."),
]


Files = Annotated[Path | None, typer.Option(help="A folder of the files that the rows attach: `files/` in the bucket.")]


@app.command()
def run(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, TSV, JSONL, JSON, Parquet, xlsx or text; with `input: files`, a document or an image."
        ),
    ],
    recipe: Annotated[
        Path | None, typer.Option(help="How to ask about each row; not needed for ready requests.")
    ] = None,
    files: Files = None,
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"),
    shard_rows: Annotated[int | None, typer.Option(min=1, max=100_000, help="Rows in one shard at most.")] = None,
    wait_scale: WaitScale = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Go on after a recipe's sample without asking.")] = False,
) -> None:
    """Run one file through the whole application on this machine, and leave its output in a folder.

    Asks the emulator, unless ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL) name a real service.
    A recipe with a sample is asked about it on a terminal; elsewhere it ends after the sample, unless with --yes.
    Exit code: 0 the job succeeded (rows may have failed), 1 it failed, 2 the command was wrong.
    """
    from cli.dropping import Drop
    from cli.service import ServiceUnclearError, service_of

    try:
        service = service_of(os.environ)
    except ServiceUnclearError as error:
        _usage_error(str(error))
    _run(Drop(file, recipe, files), out, service, wait_scale, shard_rows, approves=yes)


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out")) -> None:
    """Run examples/reviews.csv, always against the emulator."""
    from cli.dropping import Drop
    from cli.service import Service

    examples = PROJECT / "examples"
    _run(Drop(examples / "reviews.csv", examples / "recipes" / "sentiment.yaml"), out, Service(), None, 100)


@app.command()
def check(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a .yaml file.")],
    file: Annotated[Path | None, typer.Argument(help="A file to be asked about with it.")] = None,
    files: Files = None,
    *,
    exact: Annotated[bool, typer.Option("--exact", help="Have the tokens of a sample counted by the API.")] = False,
    sample: Annotated[int, typer.Option(min=1, max=2_000, help="With --exact: how many requests to count.")] = 50,
) -> None:
    """Check a recipe; with a file, show the first requests, what would be rejected, and what it may cost.

    Nothing is asked; with --exact, a sample of the prompts is sent to be counted, which is free.
    Exit code: 0 all is well, 1 something would be refused, 2 the command was wrong.
    """
    from batchdrop.errors import BatchdropError
    from cli.checking import Exact, check_file, check_recipe
    from cli.service import ServiceUnclearError, service_of

    for path in (recipe, file):
        if path is not None and not path.is_file():
            _usage_error(f"there is no file {path}")
    if files is not None and not files.is_dir():
        _usage_error(f"there is no folder {files}")
    if exact and file is None:
        _usage_error("--exact counts a file's requests; name the file behind the recipe")
    try:
        counting = Exact(service_of(os.environ), sample) if exact else None
        if file is None:
            check_recipe(recipe, _console())
        elif not check_file(recipe, file, _console(), files=files, exact=counting):
            raise typer.Exit(JOB_FAILED)
    except ServiceUnclearError as error:
        _usage_error(str(error))
    except BatchdropError as fault:
        typer.echo(f"Error: {fault}", err=True)
        raise typer.Exit(JOB_FAILED) from fault


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the AWS endpoint; default: a free one.")
    ] = None,
    wait_scale: WaitScale = None,
) -> None:
    """Keep the application running on this machine until Ctrl-C, and say how to drop files into it."""
    from cli.keep_up import keep_up
    from cli.service import ServiceUnclearError, service_of

    try:
        service = service_of(os.environ)
    except ServiceUnclearError as error:
        _usage_error(str(error))
    _guarded(lambda: keep_up(service, _console(), port=port, wait_scale=wait_scale or service.wait_scale))


Stack = Annotated[str, typer.Option(help="The CloudFormation stack's name.")]
Region = Annotated[str | None, typer.Option(help="The AWS region; default: your configuration's.")]
Endpoint = Annotated[str | None, typer.Option(help="The AWS endpoint that `batchdrop up` printed.")]


@app.command()
def cancel(job: str, stack: Stack = "batchdrop", region: Region = None, endpoint_url: Endpoint = None) -> None:
    """Cancel a running job: keep what is answered, ask nothing more."""
    from cli import job_control

    _control(job_control.cancel, job, stack, region, endpoint_url)


@app.command()
def resume(job: str, stack: Stack = "batchdrop", region: Region = None, endpoint_url: Endpoint = None) -> None:
    """Go on with a job that failed or was canceled: ask only what has no answer yet."""
    from cli import job_control

    _control(job_control.resume, job, stack, region, endpoint_url)


@app.command()
def approve(
    job: str,
    stack: Stack = "batchdrop",
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Go on with a job that has shown its sample: ask the rest."""
    from cli import approval

    shown = approval.as_json if as_json else approval.as_text
    _control(lambda deployment, job_id: shown(approval.approve(deployment, job_id)), job, stack, region, endpoint_url)


def _control(
    command: Callable[[Deployment, str], str], job: str, stack: str, region: str | None, endpoint_url: str | None
) -> None:
    from cli.deployment import NotDeployedError, find_deployment
    from cli.job_control import NoSuchJobError

    try:
        message = command(find_deployment(stack, region=region, endpoint_url=endpoint_url), job)
    except (NotDeployedError, NoSuchJobError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(JOB_FAILED) from error
    typer.echo(message)


def _run(
    drop: Drop,
    out: Path,
    service: Service,
    wait_scale: float | None,
    shard_rows: int | None,
    *,
    approves: bool = False,
) -> None:
    from cli.dropping import NotDroppableError
    from cli.one_shot import Run, run_once

    try:
        drop.check()
    except NotDroppableError as error:
        _usage_error(str(error))
    one = Run(drop, out, service, wait_scale or service.wait_scale, shard_rows, approves)
    if not _guarded(lambda: run_once(one, _console())):
        raise typer.Exit(JOB_FAILED)


def _guarded(command: Callable[[], bool]) -> bool:
    """Run a command that needs the stack; if the stack breaks, say so in one line."""
    from local.stack import StackError

    try:
        return command()
    except StackError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(JOB_FAILED) from error


def _console() -> Console:
    from rich.console import Console

    return Console()


def _usage_error(message: str) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(USAGE_ERROR)
