"""`batchdrop retry`, and `batchdrop drop --into`: repair the rows of a job that have no usable answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli.console import CommandOutput
from batchdrop.cli.options import Endpoint, JobId, Json, Region, Stack, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchdrop.cli.deployment import Deployment
    from batchdrop.finish.chosen_rows import Wanted


def retry(  # noqa: PLR0913 -- one for each option
    job: JobId = "",
    status: Annotated[
        str | None,
        typer.Option(help="Only rows with these statuses, such as invalid,refusal,max_tokens,failed. Default: all."),
    ] = None,
    rows: Annotated[str | None, typer.Option(help="Only these rows, such as 17,201 or 17-20.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A changed recipe with the same answer columns. Default: the job's own.")
    ] = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Also rows whose answers the last retry paid for, with the same recipe.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the retry to its end, then fetch its outputs.")] = False,
    out: Annotated[Path, typer.Option(help="With --wait: outputs go to OUT/<job_id>-v2/.")] = Path("out"),
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    json: Json = False,
) -> None:
    """Send rows without a usable answer again, and write a whole new output: the job's next version.

    Answered rows stay as they are and are not sent. The same command, repeated, is one retry. Exit code: 0 the retry
    started (with --wait: it succeeded), 1 it did not, 2 wrong usage.
    """
    output = CommandOutput(json)
    refuse_missing(recipe)
    with output.reporting_errors():
        from batchdrop.cli.job.retrying import wanted_rows

        wanted = wanted_rows(status, rows, recipe, again=again)
        _retry(_deployment(stack, region, endpoint_url), job, wanted, out if wait else None, output)


def _retry(deployment: Deployment, job: str, wanted: Wanted, out: Path | None, output: CommandOutput) -> None:
    """Start a retry; with a folder for its outputs, follow it to its end."""
    from batchdrop.cli.job.retrying import retry as send_again

    started = send_again(deployment, job, wanted)
    if out is None:
        output.document(started) if output.json else typer.echo(started.message)
        return
    if not output.json:
        typer.echo(started.message)
    from batchdrop.cli.run.sending import follow_to_outputs

    follow_to_outputs(deployment, started.job_id, out, output)


def merge(
    lines: Path,
    recipe: Path | None,
    job: str,
    out: Path | None,
    deployment: Callable[[], Deployment],
    output: CommandOutput,
) -> None:
    """Send changed lines of a job's failed.jsonl; with a folder `out` for its outputs, follow the job to its end."""
    refuse_missing(lines, recipe)
    with output.reporting_errors():
        from batchdrop.cli.job.retrying import wanted_rows

        wanted = wanted_rows(None, None, recipe, again=False, lines=lines)
        _retry(deployment(), job, wanted, out, output)


def _deployment(stack: str | None, region: str | None, endpoint_url: str | None) -> Deployment:
    from batchdrop.cli.deployment import find_deployment

    return find_deployment(stack, region=region, endpoint_url=endpoint_url)
