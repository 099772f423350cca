"""`batchdrop fetch`: download a job's outputs; a file is complete or absent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from batchdrop.cli.bucket import JobBucket
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.documents import read_summary
from batchdrop.cli.job.figures import size
from batchdrop.cli.job.jobs import Job, JobStatus, NoSuchJobError
from batchdrop.cli.run.outputs import show_results
from batchdrop.cli.run.transfers import Transfer, transferring


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file's local path, and whether it was there before."""

    path: Path
    bytes: int
    was_there: bool


def fetch(deployment: Deployment, job: Job, out: Path, output: CommandOutput) -> Path:
    """Download a job's outputs to `out/<job_id>/`, print their paths, and return that folder.

    Raises NoSuchJobError if there is nothing to fetch yet.
    """
    folder = out / job.job_id
    with transferring(output) as transfer:
        files = fetch_files(deployment.bucket, deployment.s3, deployment.bucket_name, job.results, folder, transfer)
    if not files:
        raise NoSuchJobError(_nothing_yet(deployment, job))
    if output.json:
        output.document(_as_object(job, folder, files))
        return folder
    _say(deployment, job, folder, files, output)
    return folder


def fetch_files(
    bucket: JobBucket, s3: Any, bucket_name: str, results: str, folder: Path, transfer: Transfer
) -> list[Fetched]:
    """Download everything under `results` into `folder`.

    A file gets its name when it is complete: boto3 writes to a temporary name first. A local file of the same size and
    time is kept. Only a key's last part becomes a file name, so no key can lead out of the folder.
    """
    found = [one for one in bucket.listed(results) if not one.key.endswith("/")]
    wanted = [(one, folder / one.key.rsplit("/", 1)[-1]) for one in found]
    missing = [(one, path) for one, path in wanted if not _is_there(path, one.size, one.modified)]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
    transfer.expect(sum(one.size for one, _ in missing))
    for one, path in missing:
        transfer.name(path.name)
        s3.download_file(bucket_name, one.key, str(path), Callback=transfer.moved)
        _set_time(path, one.modified)
    fresh = {path for _, path in missing}
    return [Fetched(path, one.size, path not in fresh) for one, path in wanted]


def _is_there(path: Path, size_: int, modified: datetime | None) -> bool:
    if modified is None or not path.is_file():
        return False
    known = path.stat()
    return known.st_size == size_ and int(known.st_mtime) == int(modified.timestamp())


def _set_time(path: Path, modified: datetime | None) -> None:
    if modified is not None:
        os.utime(path, (modified.timestamp(), modified.timestamp()))


def _nothing_yet(deployment: Deployment, job: Job) -> str:
    if job.status is JobStatus.RUNNING:
        return f"job {job.job_id} is running; its outputs come at its end: {deployment.command('watch', job.job_id)}"
    return (
        f"job {job.job_id} ({job.status.value}) has no outputs at {job.results}; "
        f"continue it with {deployment.command('resume', job.job_id)}"
    )


def _as_object(job: Job, folder: Path, files: list[Fetched]) -> dict[str, object]:
    return {
        "job_id": job.job_id,
        "status": job.status.value,
        "folder": str(folder),
        "files": [{"path": str(one.path), "bytes": one.bytes, "was_there": one.was_there} for one in files],
    }


def _say(deployment: Deployment, job: Job, folder: Path, files: list[Fetched], output: CommandOutput) -> None:
    console = output.console
    if job.status is JobStatus.RUNNING:
        note = f"job {job.job_id} runs again; these outputs are from its last end"
        console.print(Text(note, style="yellow"), soft_wrap=True)
    summary = read_summary(deployment.bucket, job.results)
    if summary is not None:
        show_results(folder, summary, console)
        return
    for one in files:
        there = " (unchanged)" if one.was_there else ""
        console.print(Text(f"  {size(one.bytes):>9}  {one.path}{there}"), soft_wrap=True)
