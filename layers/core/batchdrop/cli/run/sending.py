"""`batchdrop drop`: upload a file into a deployment's inbox, and find its job."""

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
from batchdrop.cli.job.documents import read_summary
from batchdrop.cli.job.job_view import JobView, Stage
from batchdrop.cli.job.jobs import Execution, Job, executions, find_job
from batchdrop.cli.job.watching import followed
from batchdrop.cli.run.dropping import Drop, NotDroppableError
from batchdrop.cli.run.fetching import fetch
from batchdrop.cli.run.most_failed import MostFailed
from batchdrop.cli.run.transfers import transferring
from batchdrop.errors import JobFault
from batchdrop.job.job_files import read_recipe
from batchdrop.job.manifest import UploadRecord
from batchdrop.recipe.recipe import Recipe

START_SECONDS = 120.0  # from upload to execution; S3 events take a second or two, "sometimes a minute or longer"
LOOK_SECONDS = 0.5
PAGE = 1_000  # executions per Step Functions list call


class NotStartedError(CommandError):
    """The upload is in the bucket, but its job was not seen; the message says where to look."""


@dataclass(frozen=True, slots=True)
class Dropping:
    """What to drop, whether to wait for the job's end, and the folder for its outputs."""

    file: Path
    recipe: str | None
    files: Path | None
    waits: bool
    out: Path
    max_failed: str | None = None


def drop(
    deployment: Deployment, dropping: Dropping, output: CommandOutput, *, pause: Callable[[float], None] = time.sleep
) -> None:
    """Upload a file and print the id of its job. Raises typer.Exit if a job that was waited for does not succeed."""
    one = _checked(deployment, dropping)
    known = {execution.arn for execution in newest(deployment)}
    replaced = replaced_keys(deployment, one)
    with transferring(output) as transfer:
        one.upload(deployment.s3, deployment.bucket_name, transfer)
    where = f"s3://{deployment.bucket_name}/{one.key}"
    _say(output, f"dropped {one.file.name} at {where}")
    for key in replaced:
        _say(output, f"note: {key} replaced a different version; files dropped from now on use the new one")
    job = await_job(deployment, one.key, known, pause=pause)
    if output.json and not dropping.waits:
        output.document({"job_id": job.job_id, "bucket": deployment.bucket_name, "key": one.key})
    _say(output, f"job {job.job_id}")
    if not dropping.waits:
        for what, word in (("follow it", "watch"), ("its outputs", "fetch"), ("stop it", "cancel")):
            _say(output, f"  {what:<12} {deployment.command(word, job.job_id)}")
        return
    follow_to_outputs(deployment, job.job_id, dropping.out, output, dropping.max_failed)


def follow_to_outputs(
    deployment: Deployment, job_id: str, out: Path, output: CommandOutput, max_failed: str | None = None
) -> None:
    """Follow a job to its end and fetch its outputs. Raises typer.Exit if it does not succeed.

    Raises TooManyFailedError if more rows than `max_failed` have no usable answer.
    """
    view = followed(deployment, find_job(deployment, job_id), output, is_silent=True)
    fetch_ended(deployment, job_id, view, out, output, max_failed)


def fetch_ended(
    deployment: Deployment, job_id: str, view: JobView, out: Path, output: CommandOutput, max_failed: str | None
) -> None:
    """Fetch the outputs of a job that has ended. Raises typer.Exit and TooManyFailedError as `follow_to_outputs`."""
    job = find_job(deployment, job_id)
    fetch(deployment, job, out, output)
    if view.stage is not Stage.SUCCEEDED:
        raise typer.Exit(FAILED)
    limit = MostFailed.parsed(max_failed) if max_failed else None
    summary = read_summary(deployment.bucket, job.results) if limit else None
    if limit is not None and summary is not None:
        limit.check(summary, deployment.command("retry", job_id))


def await_job(
    deployment: Deployment,
    key: str,
    known: set[str],
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Wait for the job of a file just uploaded at `key`. The executions in `known` existed before.

    The job's id contains S3's number of the write, which only the event has. Raises NotStartedError.
    """
    deadline, others = clock() + START_SECONDS, set(known)
    while clock() < deadline:
        for execution in newest(deployment):
            if execution.arn in others:
                continue
            others.add(execution.arn)
            upload = _upload_of(deployment, execution.arn)
            if upload.key == key and not upload.resumes and not upload.rows_key:
                return find_job(deployment, execution.job_id)
        pause(LOOK_SECONDS)
    message = (
        f"{key} is in the bucket, but started no job within {START_SECONDS:.0f} s. It may still start: "
        f"`{deployment.command('ls')}`; see what keeps it with `{deployment.command('doctor')}`"
    )
    raise NotStartedError(message)


def newest(deployment: Deployment) -> Iterator[Execution]:
    """Yield one page of executions, which includes the newest."""
    return islice(executions(deployment), PAGE)


def _upload_of(deployment: Deployment, arn: str) -> UploadRecord:
    described = deployment.executions.describe_execution(executionArn=arn)
    return msgspec.json.decode(described["input"], type=UploadRecord)


def _checked(deployment: Deployment, dropping: Dropping) -> Drop:
    """Return the drop after checking it. Raises NotDroppableError."""
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
    """Return the recipe with that name in the bucket. Raises NotDroppableError with the nearest names."""
    try:
        recipe = read_recipe(deployment.store, f"recipes/{name}.yaml")
    except JobFault as error:
        raise NotDroppableError(str(error)) from error
    if recipe is not None:
        return recipe
    known = [one.key.removeprefix("recipes/").removesuffix(".yaml") for one in deployment.bucket.listed("recipes/")]
    near = get_close_matches(name, known) or known[:3]
    message = f"{name} is neither a local file nor a recipe in {deployment.name}"
    raise NotDroppableError(f"{message} (there: {', '.join(near)})" if near else message)


def replaced_keys(deployment: Deployment, one: Drop) -> list[str]:
    """Return the keys of the recipe's files that the upload will change."""
    changed = []
    for path, key in one.uploads():
        if key.startswith("recipes/"):
            before = read_if_there(deployment.bucket, key)
            changed += [key] if before is not None and before != path.read_bytes() else []
    return changed


def _say(output: CommandOutput, words: str) -> None:
    output.console.print(Text(words), soft_wrap=True)
