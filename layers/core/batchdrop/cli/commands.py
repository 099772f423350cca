"""The commands for a deployed application: on AWS, or the one that `batchdrop up` runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchdrop.cli.console import FAILED, CommandOutput, open_report, usage_error
from batchdrop.cli.options import (
    Endpoint,
    Given,
    GivenFile,
    JobId,
    Json,
    MaxFailed,
    Open,
    Region,
    Stack,
    recipe_and_file,
)

if TYPE_CHECKING:
    from batchdrop.cli.deployment import Deployment

Status = Annotated[
    str | None, typer.Option(help="Only jobs in this state: running, succeeded, failed, canceled or stopped.")
]


def drop(  # noqa: PLR0913 -- one for each option
    given: Given,
    file: GivenFile = None,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe file to upload, or the name of a recipe in the bucket.")
    ] = None,
    files: Annotated[
        Path | None, typer.Option(help="The folder of the files that the rows attach; uploaded to `files/`.")
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="Send these rows of JOB's failed.jsonl again, as the job's next version."),
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end, then fetch its outputs.")] = False,
    out: Annotated[Path, typer.Option(help="With --wait: outputs go to OUT/<job_id>/.")] = Path("out"),
    max_failed: MaxFailed = None,
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    json: Json = False,
) -> None:
    """Upload a file with its recipe, and print the id of the job that it started.

    Exit code: 0 the job started (with --wait: it succeeded), 1 it did not, 2 wrong usage, 4 more rows than --max-failed
    have no usable answer.
    """
    named, dropped = recipe_and_file(given, file, Path(recipe) if recipe else None)
    if max_failed and not wait:
        usage_error("--max-failed judges a job that has ended; give --wait, too")
    output = CommandOutput(json)
    if into is not None:
        from batchdrop.cli.repair_commands import Waiting, merge

        waiting = Waiting(out, max_failed) if wait else None
        kept_in = None if stack or region or endpoint_url else out
        merge(dropped, named, into, waiting, lambda: _deployment(stack, region, endpoint_url), output, kept_in)
        return
    with output.reporting_errors():
        from batchdrop.cli.run.sending import Dropping
        from batchdrop.cli.run.sending import drop as send

        send(
            _deployment(stack, region, endpoint_url),
            Dropping(dropped, str(named) if named else None, files, wait, out, max_failed),
            output,
        )


def watch(
    job: JobId = "", stack: Stack = None, region: Region = None, endpoint_url: Endpoint = None, *, json: Json = False
) -> None:
    """Follow a job to its end, with a bar for each open shard; in a pipe, with a line (--json: an object) per change.

    Ctrl-C stops watching; the job continues. Exit code: 0 the job succeeded, 1 it did not, 130 Ctrl-C.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.job.jobs import find_job
        from batchdrop.cli.job.watching import watch as follow

        deployment = _deployment(stack, region, endpoint_url)
        follow(deployment, find_job(deployment, job), output)


def ls(
    limit: Annotated[int, typer.Option(min=1, help="The most jobs to list.")] = 20,
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
            typer.echo(f"no such jobs in {deployment.name}; `{deployment.command('drop')}` starts one", err=True)


def show(
    job: JobId = "",
    row: Annotated[int | None, typer.Option(min=1, help="Show this row: its cells, request and results.")] = None,
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    json: Json = False,
) -> None:
    """Show one job: its state, timeline, cost, and why rows failed; with --row, one of its rows."""
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.job.jobs import find_job

        deployment = _deployment(stack, region, endpoint_url)
        found = find_job(deployment, job)
        if row is None:
            from batchdrop.cli.job.showing import print_shown, shown

            report = shown(deployment, found)
            output.document(report) if json else print_shown(report, deployment, output.console)
        else:
            from batchdrop.cli.job.row_printing import print_story
            from batchdrop.cli.job.row_story import row_story

            story = row_story(deployment.store, found.job_id, row, ledger=deployment.ledger)
            output.document(story) if json else print_story(story, output.console)


def fetch(
    job: JobId = "",
    out: Annotated[Path, typer.Option(help="Outputs go to OUT/<job_id>/.")] = Path("out"),
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    opens: Open = False,
    json: Json = False,
) -> None:
    """Download a job's outputs. Files appear only when they are complete; existing ones are not downloaded again."""
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.job.jobs import find_job
        from batchdrop.cli.run.fetching import fetch as download

        deployment = _deployment(stack, region, endpoint_url)
        folder = download(deployment, find_job(deployment, job), out, output)
        if opens:
            open_report(folder)


def doctor(
    stack: Stack = None,
    region: Region = None,
    endpoint_url: Endpoint = None,
    *,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Then answer two rows in each lane; costs less than a tenth of a cent.")
    ] = False,
    json: Json = False,
) -> None:
    """Check this machine and the stack (credentials, key, quotas, drift, lost messages, alarms), and say what to fix.

    Without --smoke, it changes nothing and costs nothing. Exit code: 0 no problem was found (warnings do not count), 1
    there is one.
    """
    output = CommandOutput(json)
    with output.reporting_errors():
        from batchdrop.cli.doctor.examination import examined
        from batchdrop.cli.doctor.findings import print_findings
        from batchdrop.cli.doctor.stack import is_well
        from batchdrop.local.application import application_folder

        is_named = bool(stack or region or endpoint_url)
        findings = examined(lambda: _deployment(stack, region, endpoint_url), application_folder(), is_named=is_named)
        if not json:
            print_findings(findings, output.console)
        if smoke and is_well(findings):
            from batchdrop.cli.doctor.smoke import smoke as answered

            seen = [*answered(_deployment(stack, region, endpoint_url), output)]
            findings += seen
            if not json:
                print_findings(seen, output.console)
        if json:
            output.document({"well": is_well(findings), "findings": findings})
        if not is_well(findings):
            raise typer.Exit(FAILED)


def _deployment(stack: str | None, region: str | None, endpoint_url: str | None) -> Deployment:
    from batchdrop.cli.deployment import find_deployment

    return find_deployment(stack, region=region, endpoint_url=endpoint_url)
