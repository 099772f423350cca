"""`batchdrop up`: run the stack in the foreground until Ctrl-C.

Against a real API, its state is kept for the next one.
"""

from __future__ import annotations

import contextlib
import errno
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from batchdrop.cli.console import CommandError, CommandOutput
from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.run.one_shot import local_parameters
from batchdrop.cli.run.open_work import StoredWork, lines, stored_work
from batchdrop.cli.run.run_folder import RunFolder, digest
from batchdrop.cli.run.running_stacks import noted
from batchdrop.cli.run.service import Service
from batchdrop.cli.run.starting_again import start_again
from batchdrop.errors import JobCanceled
from batchdrop.job.upload import INBOX, is_in_inbox
from batchdrop.local.application import examples_folder
from batchdrop.local.stack import EmbeddedStack, StackOptions

LOOK_SECONDS = 1.0


class PortInUseError(CommandError):
    """Another program uses the port that was given."""


@dataclass(frozen=True, slots=True)
class Up:
    """The service and the options of a stack. `out`: the folder of its kept state."""

    service: Service
    out: Path
    port: int | None
    wait_scale: float


def keep_up(up: Up, output: CommandOutput) -> None:
    """Print where the stack is, and run it until Ctrl-C. Raises StackError if it ends by itself."""
    console = output.console
    if up.port is not None:
        refuse_busy(up.port)
    console.print(up.service.description, highlight=False, soft_wrap=True)
    with running(up, console) as stack:
        if output.json:
            output.line(_where(stack))
            sys.stdout.flush()
        console.print(_how_to_drop(stack), highlight=False, soft_wrap=True, markup=False)
        try:
            while True:
                stack.check_alive()
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            console.print("stopping ...")


@contextlib.contextmanager
def running(up: Up, console: Console) -> Iterator[EmbeddedStack]:
    """Run a stack that other commands find. Against a real service, it goes on with its unfinished jobs.

    Raises StackError if it does not start, and RunBusyError if another process uses its folder.
    """
    service = up.service
    options = StackOptions(
        wait_scale=up.wait_scale,
        **service.stack_options(),
        ministack_port=up.port,
        overrides=local_parameters(up.wait_scale),
    )
    folder = RunFolder(up.out / f"up-{digest([], service.place)}") if service.base_url else None
    with _kept(folder, options, console) as kept, EmbeddedStack(kept) as stack, noted(stack.endpoint_url):
        if folder is not None:
            _go_on(folder, stack, console)
        yield stack


def refuse_busy(port: int) -> None:
    """Raise PortInUseError if another program listens on the port."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # else a port of an `up` that has just ended is busy
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            message = f"another program uses port {port}; give another --port, or none for a free one"
            raise PortInUseError(message) from error


@contextlib.contextmanager
def _kept(folder: RunFolder | None, options: StackOptions, console: Console) -> Iterator[StackOptions]:
    """Yield the options of a stack whose state is kept in `folder`; at its end, say what is open."""
    if folder is None:
        yield options
        return
    with folder.locked() as lock:
        try:
            yield replace(options, state=folder.state, keeps_open=(lock,))
        finally:
            for line in [*lines(stored_work(folder.state)), f"the next `batchdrop up` here goes on ({folder.path})"]:
                console.print(Text(line), soft_wrap=True)


def _go_on(folder: RunFolder, stack: EmbeddedStack, console: Console) -> None:
    """Start the unfinished jobs of the last stack again. A canceled job is only brought to its end."""
    deployment = find_deployment(stack.options.stack_name, region=None, endpoint_url=stack.endpoint_url)
    work = stored_work(folder.state)
    for key in _unstarted(deployment, work):
        console.print(Text(f"{key} was dropped, but its job had not begun; drop it again"), soft_wrap=True)
    for job in work.unfinished:
        halt = deployment.ledger.halted(job.job_id)
        is_canceled = halt is not None and halt.error == JobCanceled.__name__
        record = start_again(deployment, job.manifest.upload, folder.next_resume(), cancels=is_canceled)
        console.print(Text(f"job {job.job_id} goes on as execution {record.execution_name}"), soft_wrap=True)


def _unstarted(deployment: Deployment, work: StoredWork) -> list[str]:
    """Return the uploads without a job: the last stack ended before it had read them, so nothing of them was sent."""
    known = {(job.manifest.upload.key, job.manifest.upload.version) for job in work.jobs}
    pages = deployment.s3.get_paginator("list_object_versions").paginate(Bucket=deployment.bucket_name, Prefix=INBOX)
    newest = [one for page in pages for one in page.get("Versions", []) if one["IsLatest"]]
    return [one["Key"] for one in newest if is_in_inbox(one["Key"]) and (one["Key"], one["VersionId"]) not in known]


def _where(stack: EmbeddedStack) -> dict[str, str]:
    return {
        "endpoint_url": stack.endpoint_url,
        "claude_base_url": stack.claude_base_url,
        "region": stack.region,
        "stack": stack.options.stack_name,
        "bucket": stack.bucket,
    }


def _how_to_drop(stack: EmbeddedStack) -> str:
    aws = (
        f"AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={stack.region} "
        f"aws --endpoint-url {stack.endpoint_url} s3"
    )
    examples = examples_folder()
    recipe, file = (shlex.quote(str(examples / name)) for name in ("recipes/sentiment.yaml", "reviews.csv"))
    return f"""\
AWS endpoint  {stack.endpoint_url}
Claude API    {stack.claude_base_url}
bucket        {stack.bucket}
drop a file   batchdrop drop {recipe} {file}
              or with any S3 client, as these two lines do:
              {aws} cp {recipe} s3://{stack.bucket}/recipes/
              {aws} cp {file} s3://{stack.bucket}/inbox/sentiment/
get it back   batchdrop fetch JOB
              {aws} cp --recursive s3://{stack.bucket}/results/ out/
see jobs      batchdrop ls, watch JOB, show JOB, cancel JOB, resume JOB
              (with --endpoint-url {stack.endpoint_url} if another `batchdrop up` runs on this machine)
Ctrl-C stops everything."""
