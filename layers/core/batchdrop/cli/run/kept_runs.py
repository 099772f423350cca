"""Retry a job of a `batchdrop run` that has ended: a stack on the run's folder sends the rows again, to the end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from batchdrop.cli.console import INTERRUPTED, USAGE_ERROR, CommandError, CommandOutput
from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.job.jobs import find_job
from batchdrop.cli.job.progress import follow
from batchdrop.cli.job.retrying import retry
from batchdrop.cli.job.watching import watcher_of
from batchdrop.cli.run.kept_answers import answers_file
from batchdrop.cli.run.one_shot import local_parameters, repair_commands
from batchdrop.cli.run.open_work import StoredWork, lines, stored_work
from batchdrop.cli.run.run_folder import RunFolder
from batchdrop.cli.run.sending import fetch_ended
from batchdrop.cli.run.service import Service, service_of
from batchdrop.cli.run.starting_again import start_again
from batchdrop.finish.chosen_rows import Wanted
from batchdrop.job.versions import first_version
from batchdrop.local.stack import EmbeddedStack, StackOptions


class NotRetriableHereError(CommandError):
    """The run's folder cannot be used now; the message says what to do first."""


class NoServiceError(CommandError):
    """The environment names no real service, and the run's rows were sent to one."""

    exit_code = USAGE_ERROR


@dataclass(frozen=True, slots=True)
class KeptRun:
    """The folder of a run, and the id of its job."""

    folder: RunFolder
    job_id: str


def kept_run(out: Path, wanted: str) -> KeptRun | None:
    """Return the only run in `out` whose job's id, or its last part, starts with `wanted`; None if there is none."""
    first = first_version(wanted)
    found = [
        KeptRun(RunFolder(path), job.job_id)
        for path in sorted(out.glob("run-*"))
        if wanted and path.is_dir() and "-abandoned-" not in path.name
        for job in stored_work(RunFolder(path).state).jobs
        if job.job_id.startswith(first) or job.job_id.partition("-")[2].startswith(first)
    ]
    jobs = {first_version(one.job_id) for one in found}
    return found[0] if len(jobs) == 1 else None


def retry_kept(kept: KeptRun, wanted: Wanted, out: Path, output: CommandOutput, max_failed: str | None = None) -> None:
    """Send rows of the run's job again and fetch the new output; go on with a retry that was stopped.

    The folder is removed when no row is left to retry. Raises NotRetriableHereError, NoServiceError, RunBusyError,
    RetryRefused, and typer.Exit as `fetch_ended` does.
    """
    service = service_of(os.environ)
    if service.base_url is None:
        message = (
            "this job ran against the Claude API; set ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL) as for its run, or "
            "BATCHDROP_PROVIDER=aws if it ran with --provider aws"
        )
        raise NoServiceError(message)
    console = output.console
    with kept.folder.locked() as lock:
        work = stored_work(kept.folder.state)
        _refuse_unfinished(work, kept)
        console.print(service.description, highlight=False, soft_wrap=True)
        try:
            with _deployment(kept, service, lock, out) as deployment:
                version = _started(deployment, work, kept, wanted, console)
                view = follow(
                    watcher_of(deployment, find_job(deployment, version)).look, console=console, pause=time.sleep
                )
                fetch_ended(deployment, version, view, out, output, max_failed)
        except KeyboardInterrupt:
            for line in [*lines(stored_work(kept.folder.state)), "the same command goes on with this retry"]:
                console.print(Text(line), soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None
        after = stored_work(kept.folder.state)
        if after.is_done and not after.jobs[-1].unanswered:
            kept.folder.remove()


def _refuse_unfinished(work: StoredWork, kept: KeptRun) -> None:
    """Raise NotRetriableHereError if the run itself has not ended: its rows may be open at the API."""
    if any(job.job_id == first_version(job.job_id) for job in work.unfinished) or work.lost_jobs:
        message = f"the run in {kept.folder.path} is not finished; go on with it first: its command with --resume"
        raise NotRetriableHereError(message)


def _started(deployment: Deployment, work: StoredWork, kept: KeptRun, wanted: Wanted, console: Console) -> str:
    """Start the next version, or go on with one that was stopped; return its id."""
    for job in work.unfinished:
        record = start_again(deployment, job.manifest.upload, kept.folder.next_resume())
        console.print(Text(f"{job.job_id} goes on as execution {record.execution_name}"), soft_wrap=True)
        return job.job_id
    started = retry(deployment, kept.job_id, wanted)
    console.print(Text(started.message), soft_wrap=True)
    return started.job_id


@contextmanager
def _deployment(kept: KeptRun, service: Service, lock: int, out: Path) -> Iterator[Deployment]:
    """Run a stack on the run's folder. Its reports name commands that work after its end."""
    repairs = repair_commands(out)
    options = StackOptions(
        wait_scale=service.wait_scale,
        **service.stack_options(),
        log_dir=kept.folder.logs,
        overrides=local_parameters(service.wait_scale),
        state=kept.folder.state,
        commands={"resume": repairs["retry"], **repairs},
        answers_file=answers_file(out, service),
        keeps_open=(lock,),
    )
    with EmbeddedStack(options) as stack:
        yield find_deployment(options.stack_name, region=None, endpoint_url=stack.endpoint_url)
