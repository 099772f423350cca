"""Find what the jobs of a recipe have left behind: their files, and their outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from batchdrop.cli.forget.job_rows import FoundRows
from batchdrop.job.job_files import read_manifest
from batchdrop.job.manifest import Manifest
from batchdrop.job.upload import READY_MADE, parse_inbox_key
from batchdrop.job.versions import first_version
from batchdrop.ports import ObjectMissing, ObjectStore

_JOB = re.compile(r"\d{8}T\d{6}-[0-9a-f]{10}(?:-v\d+)?")
_TIME = "%Y%m%dT%H%M%S"


@dataclass(slots=True)
class MadeJob:
    """A job of the recipe. `results` is the prefix of its outputs, `manifest` its own; empty and None if they are gone.

    `upload` is the key of its file, `version` the version of it; empty if they are not known.
    """

    job_id: str
    results: str = ""
    has_files: bool = False
    manifest: Manifest | None = None
    upload: str = ""
    version: str = ""
    uploads: set[int] = field(default_factory=set)
    """When its file was uploaded, in Unix seconds: the time of the answers that it paid for."""
    found: FoundRows = field(default_factory=FoundRows)
    """The rows of its own files that are forgotten."""

    @property
    def first(self) -> str:
        """Return the id of its first version."""
        return first_version(self.job_id)


def made_jobs(store: ObjectStore, recipe: str) -> list[MadeJob]:
    """Return the jobs of a recipe that have files or outputs in a bucket, by their ids."""
    found: dict[str, MadeJob] = {}
    prefix = f"results/{recipe or READY_MADE}/"
    for key in store.keys(prefix):
        name, job_id, *_ = *key.removeprefix(prefix).split("/"), ""
        if _JOB.fullmatch(job_id) and job_id not in found:
            found[job_id] = MadeJob(job_id, results=f"{prefix}{name}/{job_id}/")
    for job_id in _folders(store):
        manifest = read_manifest(store, job_id)
        if manifest is not None and parse_inbox_key(manifest.upload.key).recipe == recipe:
            found.setdefault(job_id, MadeJob(job_id)).manifest = manifest
        if job_id in found:
            found[job_id].has_files = True
    for job in found.values():
        _note_upload(job, store)
    return [found[job_id] for job_id in sorted(found)]


def _folders(store: ObjectStore) -> Iterator[str]:
    last = ""
    for key in store.keys("jobs/"):
        job_id = key.split("/")[1]
        if job_id != last and _JOB.fullmatch(job_id):
            last = job_id
            yield job_id


def _note_upload(job: MadeJob, store: ObjectStore) -> None:
    named = datetime.strptime(job.first.partition("-")[0], _TIME).replace(tzinfo=UTC)  # what id a job has is its time
    if job.job_id == job.first:
        job.uploads.add(int(named.timestamp()))
    if job.manifest is not None:
        record = job.manifest.upload
        job.upload, job.version = record.key, record.version
        job.uploads.add(int(record.uploaded_at.timestamp()))
    with suppress(ObjectMissing, ValueError, KeyError):
        summary = json.loads(store.read(f"{job.results}summary.json")) if job.results else {}
        job.upload = job.upload or summary["input"]
        job.uploads.add(int(datetime.fromisoformat(summary["timings"]["uploaded_at"]).timestamp()))
