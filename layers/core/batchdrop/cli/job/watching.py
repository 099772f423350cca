"""`batchdrop watch`: follow a job of a deployment to its end."""

from __future__ import annotations

import time

import typer
from rich.text import Text

from batchdrop.cli.console import FAILED, INTERRUPTED, CommandOutput
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import Summary, has_too_few, read_summary
from batchdrop.cli.job.job_view import JobView, JobWatcher, Stage
from batchdrop.cli.job.jobs import Job, NoSuchJobError
from batchdrop.cli.job.progress import LOOK_SECONDS, Look, Pause, follow, follow_in_lines
from batchdrop.cli.run.outputs import show_end

FAR_LOOK_SECONDS = 2.0  # on AWS, where a poll is a few requests and little happens within a second


def watch(deployment: Deployment, job: Job, output: CommandOutput) -> None:
    """Follow a job and print how it ended. Raises typer.Exit unless it succeeded."""
    if not job.newest.arn:
        raise NoSuchJobError(
            f"job {job.job_id} has ended ({job.status.value}), and its execution is forgotten; "
            f"see it with `{deployment.command('show', job.job_id)}`"
        )
    view = followed(deployment, job, output)
    if not output.json:
        _say_end(deployment, job.job_id, view, read_summary(deployment.bucket, job.results), output)
    if view.stage is not Stage.SUCCEEDED:
        raise typer.Exit(FAILED)


def watcher_of(deployment: Deployment, job: Job) -> JobWatcher:
    """Return what looks at a job's newest execution."""
    return JobWatcher(
        job_id=job.job_id,
        execution_arn=job.newest.arn,
        executions=deployment.executions,
        store=deployment.bucket,
        ledger=deployment.ledger,
        approvals=deployment.approvals,
        progress=deployment.progress,
    )


def followed(deployment: Deployment, job: Job, output: CommandOutput, *, is_silent: bool = False) -> JobView:
    """Follow a job to its end; return its last view. With `--json`, each change is a line unless `is_silent`.

    Ctrl-C stops following, prints that the job continues, and raises typer.Exit.
    """
    watcher = watcher_of(deployment, job)
    seconds = LOOK_SECONDS if deployment.is_embedded else FAR_LOOK_SECONDS
    pause: Pause = time.sleep
    try:
        if output.json and not is_silent:
            return follow_in_lines(watcher.look, output.line, pause=pause, seconds=seconds)
        look = _announcing_approval(watcher.look, deployment.command("approve", job.job_id), output)
        return follow(look, console=output.console, pause=pause, seconds=seconds)
    except KeyboardInterrupt:
        again, stop = deployment.command("watch", job.job_id), deployment.command("cancel", job.job_id)
        typer.echo(f"job {job.job_id} continues. Follow it again: {again}; stop it: {stop}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _announcing_approval(look: Look, approve: str, output: CommandOutput) -> Look:
    """Return a poll that prints once how to approve the sample of a job that waits for it."""
    is_said = False

    def looked() -> JobView:
        nonlocal is_said
        view = look()
        if view.stage is Stage.UNAPPROVED and not is_said:
            is_said = True
            output.console.print(Text(f"the sample is answered; to send the other rows: {approve}"), soft_wrap=True)
        return view

    return looked


def _say_end(
    deployment: Deployment, job_id: str, view: JobView, summary: Summary | None, output: CommandOutput
) -> None:
    console = output.console
    if summary is not None:
        show_end(summary, console)
    elif view.error:
        console.print(Text(f"the job ended without a summary: {view.error}", style="red"), soft_wrap=True)
    hints = [("its outputs", "fetch"), ("more about it", "show")]
    if view.stage is not Stage.SUCCEEDED:
        hints += [("send them again", "retry")] if has_too_few(summary) else [("continue it", "resume")]
    for what, word in hints:
        console.print(Text(f"{what:<16}{deployment.command(word, job_id)}"), soft_wrap=True)
