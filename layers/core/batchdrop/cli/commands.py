"""The commands that ask a deployed application: on AWS, or the one that `batchdrop up` runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli.console import FAILED, CommandOutput
from batchdrop.cli.options import Endpoint, JobId, Json, Region, Stack

if TYPE_CHECKING:
    from batchdrop.cli.deployment import Deployment

Status = Annotated[
    str | None, typer.Option(help="Only jobs that stand so: running, succeeded, failed, canceled or stopped.")
]


def drop(
    file: Annotated[Path, typer.Argument(help="The file, as for `batchdrop run`.")],
    recipe: Annotated[
        str | None, typer.Option(help="A recipe's file, which is uploaded; or the name of one in the bucket.")
    ] = None,
    files: Annotated[
        Path | None, typer.Option(help="A folder of the files that the rows attach; uploaded to `files/`.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end, then fetch its outputs.")] = False,
    out: Annotated[Path, typer.Option(help="With --wait: outputs go to OUT/<job_id>/.")] = Path("out"),
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    json: Json = False,
) -> None:
    """Upload a file, with its recipe, and say which job it started.

    Exit code: 0 the job started (with --wait: it succeeded), 1 it did not, 2 the command was wrong.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.run.sending import Dropping
        from batchdrop.cli.run.sending import drop as send

        send(_deployment(stack, region, endpoint_url), Dropping(file, recipe, files, wait, out), output)


def watch(
    job: JobId, stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Follow a job to its end: a bar for each open shard; a line, or with --json an object, at each change in a pipe.

    Ctrl-C ends the watching, not the job. Exit code: 0 the job succeeded, 1 it did not, 130 Ctrl-C.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.job.jobs import find_job
        from batchdrop.cli.job.watching import watch as follow

        deployment = _deployment(stack, region, endpoint_url)
        follow(deployment, find_job(deployment, job), output)


def ls(
    limit: Annotated[int, typer.Option(min=1, help="Jobs at most, the newest first.")] = 20,
    status: Status = None,
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    json: Json = False,
) -> None:
    """List jobs, the newest first, with their rows, time and cost."""
    output = CommandOutput(json)
    with output.reporting_errors():
        from datetime import UTC, datetime

        from batchdrop.cli.job.listing import listed_jobs, show_listed, wanted_status

        wanted = wanted_status(status)
        deployment = _deployment(stack, region, endpoint_url)
        jobs = listed_jobs(deployment, limit=limit, status=wanted, now=datetime.now(UTC))
        if json:
            output.document(jobs)
        elif jobs:
            show_listed(jobs, output.console)
        else:
            typer.echo(
                f"there is no such job in {deployment.name}; `{deployment.command('drop')}` starts one", err=True
            )


def show(
    job: JobId,
    row: Annotated[int | None, typer.Option(min=1, help="Tell of this row: its cells, request, results.")] = None,
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    json: Json = False,
) -> None:
    """Tell of one job: how it stands, when what happened, what it cost, why rows failed; or of one row of it."""
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.job.jobs import find_job

        deployment = _deployment(stack, region, endpoint_url)
        found = find_job(deployment, job)
        if row is None:
            from batchdrop.cli.job.showing import print_shown, shown

            told = shown(deployment, found)
            output.document(told) if json else print_shown(told, deployment, output.console)
        else:
            from batchdrop.cli.job.documents import read_summary
            from batchdrop.cli.job.row_story import print_story, row_story

            summary = read_summary(deployment.bucket, found.results)
            story = row_story(deployment.store, found.job_id, row, faults=summary["faults"] if summary else ())
            output.document(story) if json else print_story(story, output.console)


def fetch(
    job: JobId,
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"),
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    json: Json = False,
) -> None:
    """Download a job's outputs. A file appears once it is whole; what is there already is not fetched again."""
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.job.jobs import find_job
        from batchdrop.cli.run.fetching import fetch as download

        deployment = _deployment(stack, region, endpoint_url)
        download(deployment, find_job(deployment, job), out, output)


def doctor(stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False) -> None:
    """Check this machine, and the stack: credentials, key, quotas, drift, lost messages, alarms; say what to mend.

    Changes nothing and costs nothing. Exit code: 0 no problem was found (warnings do not count), 1 there is one.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.doctor.examination import examined
        from batchdrop.cli.doctor.findings import print_findings
        from batchdrop.cli.doctor.stack import is_well
        from batchdrop.local.application import application_folder

        is_named = bool(stack or region or endpoint_url)
        findings = examined(lambda: _deployment(stack, region, endpoint_url), application_folder(), is_named=is_named)
        if json:
            output.document({"well": is_well(findings), "findings": findings})
        else:
            print_findings(findings, output.console)
        if not is_well(findings):
            raise typer.Exit(FAILED)


def _deployment(stack: str | None, region: str | None, endpoint_url: str | None) -> Deployment:
    from batchdrop.cli.deployment import find_deployment

    return find_deployment(stack, region=region, endpoint_url=endpoint_url)
