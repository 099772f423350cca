"""`batchdrop run` and `batchdrop demo`: one job from file to output, on an embedded stack of its own."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.job.job_view import HELD, JobView, JobWatcher, Stage, find_execution
from batchdrop.cli.job.jobs import job_id_of
from batchdrop.cli.job.progress import follow
from batchdrop.cli.run.approval import decide_on_sample
from batchdrop.cli.run.dropping import Drop
from batchdrop.cli.run.fetching import fetch_files
from batchdrop.cli.run.kept_answers import answers_file
from batchdrop.cli.run.outputs import show_results
from batchdrop.cli.run.service import Service
from batchdrop.cli.run.starting_again import start_again
from batchdrop.cli.run.transfers import Transfer
from batchdrop.job.upload import results_prefix
from batchdrop.local.stack import EmbeddedStack, StackError, StackOptions
from batchdrop.report.commands import FAILED_FILE, JOB
from batchdrop.settings import SETTLE_SECONDS

if TYPE_CHECKING:
    from batchdrop.cli.run.open_work import StoredJob
    from batchdrop.cli.run.run_folder import RunFolder

DEFAULT_OUT = Path("out")
START_SECONDS = 60.0  # from upload to the job's execution; usually about two
LOCAL_SHARDS = "2"  # open at once: each needs its own Lambda processes, and a laptop has few cores


def local_parameters(wait_scale: float) -> dict[str, str]:
    """Return the template parameters of a local stack. Settling uses the clock, so it is scaled here."""
    return {"ShardConcurrency": LOCAL_SHARDS, "SettleSeconds": f"{SETTLE_SECONDS * wait_scale:g}"}


def repair_commands(out: Path) -> dict[str, str]:
    """Return the commands that send rows of a job again whose folder is kept in `out`."""
    given = [] if out == DEFAULT_OUT else ["--out", str(out)]
    return {
        "retry": shlex.join(["batchdrop", "retry", JOB, *given]),
        "merge": shlex.join(["batchdrop", "drop", str(out / JOB / FAILED_FILE), "--into", JOB, *given]),
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of a run that outlives it: its folder, the folder's lock, and the job in it, if there is one.

    `cancels`: the job's open Message Batches are canceled, and nothing more is sent.
    """

    folder: RunFolder
    lock: int
    job: StoredJob | None
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """The file to run, the folder for its outputs, and the service."""

    drop: Drop
    out: Path
    service: Service
    wait_scale: float
    shard_rows: int | None = None
    approves: bool = False
    """Whether to approve a sample without a question."""
    words: tuple[str, ...] = ()
    """The command that the user typed, without the choice for an unfinished run; empty for a call from Python."""

    def options(self, log_dir: Path, kept: Kept | None = None) -> StackOptions:
        """Return the stack for this run. `kept`: where its state outlives it."""
        overrides = local_parameters(self.wait_scale)
        if self.shard_rows is not None:
            overrides["ShardRows"] = str(self.shard_rows)
        return StackOptions(
            wait_scale=self.wait_scale,
            **self.service.stack_options(),
            log_dir=log_dir,
            overrides=overrides,
            state=kept.folder.state if kept else None,
            commands=self.commands(),
            answers_file=answers_file(self.out, self.service),
            keeps_open=(kept.lock,) if kept else (),
        )

    def commands(self) -> dict[str, str]:
        """Return the commands for the report: the stack has ended when it is read. The emulator keeps nothing."""
        again = shlex.join(self.words)
        if not self.words:
            return {"resume": "", "retry": "", "merge": ""}
        if self.service.base_url is None:
            recipe = [str(self.drop.recipe)] if self.drop.recipe else []
            failed = shlex.join(["batchdrop", "run", *recipe, str(self.out / JOB / FAILED_FILE)])
            return {"resume": again, "retry": again, "merge": failed}
        return {"resume": f"{again} --resume", **repair_commands(self.out)}


@dataclass(frozen=True, slots=True)
class Ran:
    """The end of a run: the job, the folder of its outputs, and its summary, if it has one."""

    job_id: str
    succeeded: bool
    folder: Path
    summary: dict[str, Any] | None
    error: str


def run_once(run: Run, console: Console, kept: Kept | None = None) -> Ran:
    """Run the job; write its outputs and the stack's logs to `out/<job_id>/`. With `kept`, go on with the job in it.

    Raises StackError if the stack itself breaks; the message names the logs, which are kept.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    log_dir = kept.folder.logs if kept else Path(tempfile.mkdtemp(prefix=".logs-", dir=run.out))
    console.print(run.service.description, highlight=False, soft_wrap=True)
    with console.status("starting the embedded stack (ministack, template.yaml) ..."):
        stack = EmbeddedStack(run.options(log_dir, kept)).start()
    try:
        ran = _start_and_follow(stack, run, console, kept)
    except (KeyboardInterrupt, SystemExit):
        stack.shutdown()
        if not kept:
            shutil.rmtree(log_dir, ignore_errors=True)  # the user stopped it, so the logs are not needed
        raise
    finally:
        stack.shutdown()
    shutil.rmtree(ran.folder / "logs", ignore_errors=True)  # of an earlier end of the same job
    shutil.move(log_dir, ran.folder / "logs")
    return ran


def _start_and_follow(stack: EmbeddedStack, run: Run, console: Console, kept: Kept | None) -> Ran:
    executions = stack.client("stepfunctions")
    deployment = find_deployment(stack.options.stack_name, region=None, endpoint_url=stack.endpoint_url)
    if kept and kept.job and kept.job.is_done and not kept.cancels:
        return _finished(stack, run, deployment, kept.job.job_id, JobView(kept.job.job_id, Stage.SUCCEEDED), console)
    if kept and kept.job:
        record = start_again(deployment, kept.job.manifest.upload, kept.folder.next_resume(), cancels=kept.cancels)
        console.print(Text(f"job {record.job_id} goes on as execution {record.execution_name}"), soft_wrap=True)
    else:
        run.drop.upload(deployment.s3, stack.bucket)
        console.print(Text(f"dropped {run.drop.file.name} at s3://{stack.bucket}/{run.drop.key}"), soft_wrap=True)
    name, execution_arn = _await_execution(stack, executions)
    job_id = job_id_of(name)
    watcher = JobWatcher(
        job_id=job_id,
        execution_arn=execution_arn,
        executions=executions,
        store=deployment.bucket,
        ledger=deployment.ledger,
        approvals=deployment.approvals,
        progress=deployment.progress,
    )
    view = follow(watcher.look, console=console, pause=_pauser(stack), until=HELD)
    folder, results = run.out / job_id, results_prefix(run.drop.key, job_id)
    if view.stage is Stage.UNAPPROVED:
        _fetch(deployment, results, folder)
        decide_on_sample(deployment, job_id, folder, console, approves=run.approves)
        view = follow(watcher.look, console=console, pause=_pauser(stack))
    return _finished(stack, run, deployment, job_id, view, console)


def _finished(
    stack: EmbeddedStack, run: Run, deployment: Deployment, job_id: str, view: JobView, console: Console
) -> Ran:
    """Fetch and show the outputs of a job that has ended."""
    folder = run.out / job_id
    _fetch(deployment, results_prefix(run.drop.key, job_id), folder)
    written = folder / "summary.json"
    summary = _with_functions(written, stack) if written.exists() else None
    if summary is not None:
        show_results(folder, summary, console)
    else:
        console.print(Text(f"the job ended without a summary: {view.error}", style="red"), soft_wrap=True)
    return Ran(job_id, view.stage is Stage.SUCCEEDED, folder, summary, view.error)


def _fetch(deployment: Deployment, results: str, folder: Path) -> None:
    fetch_files(deployment.bucket, deployment.s3, deployment.bucket_name, results, folder, Transfer())


def _await_execution(stack: EmbeddedStack, executions: Any) -> tuple[str, str]:
    deadline = time.monotonic() + START_SECONDS
    pause = _pauser(stack)
    while (found := find_execution(executions, stack.state_machine_arn)) is None:
        if time.monotonic() > deadline:
            message = f"the upload started no job within {START_SECONDS:.0f} s; see the logs in {stack.log_dir}"
            raise StackError(message)
        pause(0.1)
    return found


def _pauser(stack: EmbeddedStack) -> Any:
    def pause(seconds: float) -> None:
        stack.check_alive()
        time.sleep(seconds)

    return pause


def _with_functions(summary: Path, stack: EmbeddedStack) -> dict[str, Any]:
    """Add the functions' peak memory and CPU to the summary; return it."""
    stats = [
        {
            "function": one.function,
            "peak_rss_mb": one.peak_rss_mb,
            "cpu_seconds": one.cpu_seconds,
            "processes": one.processes,
        }
        for one in stack.function_stats()
    ]
    summary.with_name("functions.json").write_text(json.dumps(stats, indent=2) + "\n", encoding="utf-8")
    content: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return content
