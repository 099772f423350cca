"""`batchdrop`: run a file through the application, or keep the application running, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from batchdrop.cli import commands, forget_command, local_commands, repair_commands
from batchdrop.cli.compare.command import compare
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.examples import example_of
from batchdrop.cli.options import Endpoint, JobId, Json, Region, Stack
from batchdrop.cli.save.command import save
from batchdrop.cli.ui.command import ui

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchdrop.cli.deployment import Deployment

Result = TypeVar("Result")  # what a command returns

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
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


for local in ("init", "check", "try", "run", "demo", "up"):
    # `try` is a word of Python's
    app.command(local, epilog=example_of(local))(getattr(local_commands, "try_" if local == "try" else local))
app.command(epilog=example_of("compare"))(compare)
app.command(epilog=example_of("save"))(save)
app.command(epilog=example_of("ui"))(ui)


@app.command(epilog=example_of("cancel"))
def cancel(
    job: JobId = "", stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Cancel a running job: keep its answers, send nothing more."""
    from batchdrop.cli.job import job_control

    _control(job_control.cancel, job_control.as_text, job, stack, region, endpoint_url, CommandOutput(json))


@app.command(epilog=example_of("resume"))
def resume(
    job: JobId = "", stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Continue a job that failed, was canceled, or has rows that may be paid: send only the rows without an answer."""
    from batchdrop.cli.job import job_control

    _control(job_control.resume, job_control.as_text, job, stack, region, endpoint_url, CommandOutput(json))


@app.command(epilog=example_of("approve"))
def approve(
    job: JobId = "", stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
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


app.command(epilog=example_of("retry"))(repair_commands.retry)
app.command(epilog=example_of("forget"))(forget_command.forget)

for deployed in ("drop", "watch", "ls", "show", "fetch", "doctor"):
    app.command(epilog=example_of(deployed))(getattr(commands, deployed))
