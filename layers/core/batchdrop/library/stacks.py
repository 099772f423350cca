"""`batchdrop.Stack`: drop tables into a deployed application, on AWS or in a `batchdrop up`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.cli.job.documents import read_summary
from batchdrop.cli.job.jobs import JobStatus, NoSuchJobError, find_job
from batchdrop.cli.run.dropping import Drop
from batchdrop.cli.run.fetching import fetch_files
from batchdrop.cli.run.sending import await_job, newest
from batchdrop.cli.run.transfers import Transfer
from batchdrop.library.running import Result, recipe_file
from batchdrop.library.tables import file_of

LOOK_SECONDS = 5.0  # between two looks at a job: a Message Batch takes minutes


class Stack:
    """A deployed application, found as the commands find it."""

    def __init__(self, name: str | None = None, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        """Take a CloudFormation stack's name. Raises CommandError if there is no such stack."""
        self._deployment = find_deployment(name, region=region, endpoint_url=endpoint_url)

    def drop(
        self,
        table: Any,
        recipe: str | Path | Mapping[str, Any] | None,
        *,
        files: str | Path | None = None,
        name: str = "table",
    ) -> Job:
        """Upload a table and its recipe, as `run` takes them, and return the job that they start.

        `name` is the file's name in the bucket, without its ending, for tables that are not files. Raises CommandError.
        """
        with tempfile.TemporaryDirectory(prefix="batchdrop-table-") as folder:
            file = file_of(table, Path(folder), name=name)
            one = Drop(file, recipe_file(recipe, Path(folder)), None if files is None else Path(files))
            one.check()
            known = {execution.arn for execution in newest(self._deployment)}
            one.upload(self._deployment.s3, self._deployment.bucket_name)
            job = await_job(self._deployment, one.key, known)
        return Job(self._deployment, job.job_id, table)

    async def adrop(self, table: Any, recipe: str | Path | Mapping[str, Any] | None, **options: Any) -> Job:
        """Do the same as `drop` without blocking the event loop."""
        return await asyncio.to_thread(self.drop, table, recipe, **options)

    def job(self, job_id: str = "") -> Job:
        """Return a job by a unique part of its id; the newest one without an id. Raises CommandError."""
        return Job(self._deployment, find_job(self._deployment, job_id).job_id, None)


@dataclass(frozen=True)
class Job:
    """A job of a deployed application."""

    _deployment: Deployment
    job_id: str
    _given: Any

    @property
    def status(self) -> str:
        """Return running, succeeded, failed, canceled or stopped."""
        return find_job(self._deployment, self.job_id).status.value

    def result(self, out: str | Path = "out") -> Result:
        """Wait for the job's end, and fetch its outputs to `out/<job_id>/`. Raises CommandError if there are none."""
        while (job := find_job(self._deployment, self.job_id)).status is JobStatus.RUNNING:
            time.sleep(LOOK_SECONDS)
        folder, deployment = Path(out) / self.job_id, self._deployment
        fetch_files(deployment.bucket, deployment.s3, deployment.bucket_name, job.results, folder, Transfer())
        summary = read_summary(deployment.bucket, job.results)
        if summary is None:
            message = f"job {self.job_id} ({job.status.value}) has no outputs: {job.error} {job.cause}".strip()
            raise NoSuchJobError(message)
        done = job.status is JobStatus.SUCCEEDED
        return Result(self.job_id, done, folder, summary, job.error, is_emulated=False, _given=self._given)

    async def aresult(self, out: str | Path = "out") -> Result:
        """Do the same as `result` without blocking the event loop."""
        return await asyncio.to_thread(self.result, out)
