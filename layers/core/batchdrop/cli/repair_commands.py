"""`batchdrop retry`, and `batchdrop drop --into`: repair the rows of a job that have no usable answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli.console import CommandOutput, usage_error
from batchdrop.cli.options import Endpoint, JobId, Json, MaxFailed, Region, Stack, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchdrop.cli.deployment import Deployment
    from batchdrop.finish.chosen_rows import Wanted


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to follow a retry to its end: the folder for its outputs, and the most rows that may fail."""

    out: Path
    max_failed: str | None = None


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
    out: Annotated[
        Path, typer.Option(help="With --wait: outputs go to OUT/<job_id>-v2/. Also the OUT of a `batchdrop run`.")
    ] = Path("out"),
    max_failed: MaxFailed = None,
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    json: Json = False,
) -> None:
    """Send rows without a usable answer again, and write a whole new output: the job's next version.

    Answered rows stay as they are and are not sent. The same command, repeated, is one retry. A job of `batchdrop run`
    is retried on this machine, to its end.
    Exit code: 0 the retry started (with --wait: it succeeded), 1 it did not, 2 wrong usage, 4 more rows than
    --max-failed have no usable answer.
    """
    output = CommandOutput(json)
    refuse_missing(recipe)
    if max_failed and not wait:
        usage_error("--max-failed judges a job that has ended; give --wait, too")
    with output.reporting_errors():
        from batchdrop.cli.job.retrying import wanted_rows

        wanted = wanted_rows(status, rows, recipe, again=again)
        if not (stack or region or endpoint_url) and _retried_in_run(job, wanted, Waiting(out, max_failed), output):
            return
        _retry(
            _deployment(stack, region, endpoint_url), job, wanted, Waiting(out, max_failed) if wait else None, output
        )


def _retried_in_run(job: str, wanted: Wanted, waiting: Waiting, output: CommandOutput) -> bool:
    """Retry a job whose `batchdrop run` has kept its folder in OUT, to its end; return whether there is one."""
    from batchdrop.cli.run.kept_runs import kept_run, retry_kept

    kept = kept_run(waiting.out, job)
    if kept is None:
        return False
    retry_kept(kept, wanted, waiting.out, output, waiting.max_failed)
    return True


def _retry(deployment: Deployment, job: str, wanted: Wanted, waiting: Waiting | None, output: CommandOutput) -> None:
    """Start a retry, and follow it to its end if `waiting` says so."""
    from batchdrop.cli.job.retrying import retry as send_again

    started = send_again(deployment, job, wanted)
    if waiting is None:
        output.document(started) if output.json else typer.echo(started.message)
        return
    if not output.json:
        typer.echo(started.message)
    from batchdrop.cli.run.sending import follow_to_outputs

    follow_to_outputs(deployment, started.job_id, waiting.out, output, waiting.max_failed)


def merge(
    lines: Path,
    recipe: Path | None,
    job: str,
    waiting: Waiting | None,
    deployment: Callable[[], Deployment],
    output: CommandOutput,
    out: Path | None = None,
) -> None:
    """Send changed lines of a job's failed.jsonl; follow the job to its end if `waiting` says so.

    `out` is where a `batchdrop run` may have kept the job; None if the command names a stack.
    """
    refuse_missing(lines, recipe)
    with output.reporting_errors():
        from batchdrop.cli.job.retrying import wanted_rows

        wanted = wanted_rows(None, None, recipe, again=False, lines=lines)
        if out is None or not _retried_in_run(job, wanted, waiting or Waiting(out), output):
            _retry(deployment(), job, wanted, waiting, output)


def _deployment(stack: str | None, region: str | None, endpoint_url: str | None) -> Deployment:
    from batchdrop.cli.deployment import find_deployment

    return find_deployment(stack, region=region, endpoint_url=endpoint_url)
