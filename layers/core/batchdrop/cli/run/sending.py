"""`batchdrop drop`: a file goes into the inbox of a deployment, and its job is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import msgspec
import typer
from rich.text import Text

from batchdrop.cli.bucket import read_if_there
from batchdrop.cli.console import FAILED, CommandError, CommandOutput
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.job_view import Stage
from batchdrop.cli.job.jobs import Execution, Job, executions, find_job
from batchdrop.cli.job.watching import followed
from batchdrop.cli.run.dropping import Drop, NotDroppableError
from batchdrop.cli.run.fetching import fetch
from batchdrop.cli.run.transfers import transferring
from batchdrop.errors import JobFault
from batchdrop.job.job_files import read_recipe
from batchdrop.job.manifest import UploadRecord
from batchdrop.recipe.recipe import Recipe

START_SECONDS = 120.0  # from upload to execution; S3's events take a second or two, "sometimes a minute or longer"
LOOK_SECONDS = 0.5
PAGE = 1_000  # executions that Step Functions lists in one call


class NotStartedError(CommandError):
    """The upload is in the bucket, and no job of it was seen; the message says where to look."""


@dataclass(frozen=True, slots=True)
class Dropping:
    """What to drop, and what to do after: follow the job to its end, and put its outputs into a folder."""

    file: Path
    recipe: str | None
    files: Path | None
    waits: bool
    out: Path


def drop(
    deployment: Deployment, dropping: Dropping, output: CommandOutput, *, pause: Callable[[float], None] = time.sleep
) -> None:
    """Upload a file and say which job it started. Raises typer.Exit if the job, waited for, does not succeed."""
    one = _checked(deployment, dropping)
    known = {execution.arn for execution in _newest(deployment)}
    replaced = _replaced(deployment, one)
    with transferring(output) as transfer:
        one.upload(deployment.s3, deployment.bucket_name, transfer)
    where = f"s3://{deployment.bucket_name}/{one.key}"
    _say(output, f"dropped {one.file.name} at {where}")
    for key in replaced:
        _say(output, f"note: {key} was another one before; jobs of files dropped from now on ask as this one says")
    job = await_job(deployment, one.key, known, pause=pause)
    if output.json and not dropping.waits:
        output.document({"job_id": job.job_id, "bucket": deployment.bucket_name, "key": one.key})
    _say(output, f"job {job.job_id}")
    if not dropping.waits:
        for what, word in (("follow it", "watch"), ("its outputs", "fetch"), ("stop it", "cancel")):
            _say(output, f"  {what:<12} {deployment.command(word, job.job_id)}")
        return
    view = followed(deployment, job, output, is_silent=True)
    fetch(deployment, find_job(deployment, job.job_id), dropping.out, output)
    if view.stage is not Stage.SUCCEEDED:
        raise typer.Exit(FAILED)


def await_job(
    deployment: Deployment,
    key: str,
    known: set[str],
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Wait for the job of a file that was just uploaded at `key`; executions in `known` were there before.

    The job's id is made of S3's own number of the write, which only the event tells. Raises NotStartedError.
    """
    deadline, others = clock() + START_SECONDS, set(known)
    while clock() < deadline:
        for execution in _newest(deployment):
            if execution.arn in others:
                continue
            others.add(execution.arn)
            upload = _upload_of(deployment, execution.arn)
            if upload.key == key and not upload.resumes:
                return find_job(deployment, execution.job_id)
        pause(LOOK_SECONDS)
    message = (
        f"{key} is in the bucket, but started no job within {START_SECONDS:.0f} s. It may still: "
        f"`{deployment.command('ls')}`; `{deployment.command('doctor')}` tells what keeps it"
    )
    raise NotStartedError(message)


def _newest(deployment: Deployment) -> Iterator[Execution]:
    """Yield one page of executions: the one looked for is among the newest."""
    return islice(executions(deployment), PAGE)


def _upload_of(deployment: Deployment, arn: str) -> UploadRecord:
    described = deployment.executions.describe_execution(executionArn=arn)
    return msgspec.json.decode(described["input"], type=UploadRecord)


def _checked(deployment: Deployment, dropping: Dropping) -> Drop:
    """Return the drop if it can be one. Raises NotDroppableError."""
    recipe = dropping.recipe
    is_name = (
        recipe is not None
        and not Path(recipe).exists()
        and not recipe.endswith((".yaml", ".yml"))
        and "/" not in recipe
    )
    kept = _kept(deployment, recipe) if recipe is not None and is_name else None
    path = None if recipe is None else Path(f"{recipe}.yaml") if kept else Path(recipe)
    one = Drop(dropping.file, path, dropping.files, kept)
    one.check()
    return one


def _kept(deployment: Deployment, name: str) -> Recipe:
    """Return the recipe of that name in the bucket. Raises NotDroppableError, which names the nearest ones."""
    try:
        recipe = read_recipe(deployment.store, f"recipes/{name}.yaml")
    except JobFault as error:
        raise NotDroppableError(str(error)) from error
    if recipe is not None:
        return recipe
    known = [one.key.removeprefix("recipes/").removesuffix(".yaml") for one in deployment.bucket.listed("recipes/")]
    near = get_close_matches(name, known) or known[:3]
    message = f"there is no file {name}, and no recipe of that name in {deployment.name}"
    raise NotDroppableError(f"{message} (there: {', '.join(near)})" if near else message)


def _replaced(deployment: Deployment, one: Drop) -> list[str]:
    """Return the recipe's files in the bucket that the upload will change."""
    changed = []
    for path, key in one.uploads():
        if key.startswith("recipes/"):
            before = read_if_there(deployment.bucket, key)
            changed += [key] if before is not None and before != path.read_bytes() else []
    return changed


def _say(output: CommandOutput, words: str) -> None:
    output.console.print(Text(words), soft_wrap=True)
