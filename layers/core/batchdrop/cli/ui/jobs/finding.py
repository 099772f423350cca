"""Find the job that an address names. Only whole ids are names, so an address leads to no other path."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.job.jobs import Job, known_job

_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{10}(?:-v\d{1,4})?")


def named_job(deployment: Deployment, request: Request) -> Job:
    """Return the job in the address's path. Raises HTTPException if there is none."""
    job_id = request.path_params["job"]
    job = known_job(deployment, job_id) if _ID.fullmatch(job_id) else None
    if job is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "This stack has no such job. It may have been forgotten.")
    return job
