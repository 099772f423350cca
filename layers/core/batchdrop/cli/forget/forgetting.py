"""Find what a `batchdrop forget` names, and forget it in the stack and on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from batchdrop.adapters.aws.s3_erasing import S3Eraser
from batchdrop.cli.console import CommandError
from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.forget.in_bucket import Bucket, ForgetInBucket, Way
from batchdrop.cli.forget.jobs import made_jobs
from batchdrop.cli.forget.on_machine import forget_here, jobs_in
from batchdrop.cli.forget.removed import Forgetting
from batchdrop.cli.forget.wanted import Wanted
from batchdrop.cli.job.jobs import executions, find_job, known_job
from batchdrop.cli.job.retrying import row_numbers
from batchdrop.errors import RecipeRejected, UploadRejected
from batchdrop.job.guard_retention import RESULTS_KEPT
from batchdrop.job.job_files import read_recipe
from batchdrop.job.upload import INBOX, parse_inbox_key
from batchdrop.job.versions import first_version
from batchdrop.recipe.recipe import Recipe

StackOptions = tuple[str | None, str | None, str | None]  # --stack, --region, --endpoint-url


class NothingNamedError(CommandError):
    """The file, or the column, that the command names is not there; the message says what to name."""


@dataclass(frozen=True, slots=True)
class Named:
    """The words of the command."""

    file: str = ""
    rows: str | None = None
    recipe: str | None = None
    subject: str | None = None
    column: str | None = None
    takes_unnamed: bool = False


def forget_all(named: Named, *, stack: StackOptions | None, out: Path, is_dry: bool, takes_uploads: bool) -> Forgetting:
    """Forget in a stack, unless `stack` is None, and in OUT. Raises CommandError for what does not exist."""
    way = Way(int(time.time()), is_dry, takes_uploads)
    if stack is None:
        return forget_here(out, _wanted_here(named, out), way)
    name, region, endpoint_url = stack
    deployment = find_deployment(name, region=region, endpoint_url=endpoint_url)
    recipe_name, jobs = _found(named, deployment)
    recipe = _recipe(deployment, recipe_name)
    wanted = _with_columns(_wanted(named, recipe_name, jobs), named, recipe)
    bucket = Bucket(
        deployment.bucket,
        S3Eraser(deployment.s3, deployment.bucket_name),
        lambda: running(deployment),
        remembers=recipe is not None and recipe.remember is not None,
        is_open=lambda job_id: is_open(deployment, job_id, now=datetime.now(UTC)),
    )
    report = ForgetInBucket(bucket, wanted, way).run()
    if out.is_dir():
        here = forget_here(out, wanted, way)
        report.removed += here.removed
        report.left += here.left
        report.is_done = report.is_done and here.is_done
    return report


def running(deployment: Deployment) -> Mapping[str, str]:
    """Return the recipes of the jobs that run, by the jobs' ids."""
    found = {}
    for one in executions(deployment, status="RUNNING"):
        job = known_job(deployment, one.job_id)
        try:
            found[one.job_id] = parse_inbox_key(job.record.key).recipe if job else ""
        except UploadRejected:
            continue  # a job without a recipe's name has no answers
    return found


def is_open(deployment: Deployment, job_id: str, *, now: datetime) -> bool:
    """Return whether a job has Message Batches whose answers the API still has, and nobody has collected."""
    sent = deployment.ledger.submissions(job_id)
    return any(one.batch_id and one.collected_at is None and one.sent_at > now - RESULTS_KEPT for one in sent)


def _found(named: Named, deployment: Deployment) -> tuple[str, frozenset[str]]:
    """Return the recipe, and the jobs of a file."""
    if named.recipe is not None:
        return named.recipe.removesuffix(".yaml"), frozenset()
    if not named.file.startswith(INBOX):
        job = find_job(deployment, named.file)
        return parse_inbox_key(job.record.key).recipe, frozenset({first_version(job.job_id)})
    recipe = parse_inbox_key(named.file).recipe
    jobs = frozenset(job.first for job in made_jobs(deployment.bucket, recipe) if job.upload == named.file)
    if not jobs:
        raise NothingNamedError(
            f"{named.file}: no job of this file is left in {deployment.name}. To delete the file alone: "
            f"aws s3 rm s3://{deployment.bucket_name}/{named.file}"
        )
    return recipe, jobs


def _wanted_here(named: Named, out: Path) -> Wanted:
    known = jobs_in(out)
    if named.recipe is not None:
        wanted = _wanted(named, Path(named.recipe).name.removesuffix(".yaml"), frozenset())
        return _with_columns(wanted, named, None)
    found = {first_version(job): recipe for job, recipe in known.items() if named.file in {job, first_version(job)}}
    found = found or {
        first_version(job): recipe
        for job, recipe in known.items()
        if job.startswith(named.file) or job.partition("-")[2].startswith(named.file)
    }
    if len(found) != 1:
        listed = ", ".join(sorted(found or known)[:5]) or "none"
        raise NothingNamedError(f"{out}: '{named.file}' must name one job of those that are there: {listed}")
    [(job_id, recipe)] = found.items()
    return _wanted(named, recipe, frozenset({job_id}))


def _wanted(named: Named, recipe: str, jobs: frozenset[str]) -> Wanted:
    rows = frozenset(row_numbers(named.rows))
    return Wanted(recipe, jobs, rows, named.subject, takes_unnamed=named.takes_unnamed)


def _with_columns(wanted: Wanted, named: Named, recipe: Recipe | None) -> Wanted:
    if wanted.subject is None:
        return wanted
    column = named.column or (recipe.subject if recipe else None)
    if column is None:
        message = (
            f"recipe {wanted.recipe}: nothing says which column names the subject. "
            "Give --column, or set `subject` in the recipe"
        )
        raise NothingNamedError(message)
    return replace(wanted, columns=(column,))


def _recipe(deployment: Deployment, name: str) -> Recipe | None:
    try:
        return read_recipe(deployment.bucket, f"recipes/{name}.yaml")
    except RecipeRejected:
        return None  # what was made of it is forgotten all the same
