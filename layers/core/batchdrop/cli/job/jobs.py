"""Find a deployment's jobs by their executions: a job has one execution, and one more for each resume."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import Enum
from typing import Any

import msgspec

from batchdrop.cli.console import CommandError
from batchdrop.cli.deployment import Deployment
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.upload import results_prefix
from batchdrop.job.versions import first_version, version_of

_NAME = re.compile(r"(?P<job>\d{8}T\d{6}-(?P<digest>[0-9a-f]{10})(?:-v\d+)?)(?:-r(?P<resumes>\d+))?")
NAMED_IN_ERRORS = 3  # jobs that an error message names


class NoSuchJobError(CommandError):
    """The job does not exist, or its state does not allow the command; the message says which."""


class JobStatus(Enum):
    """The state of a job for commands. `stopped`: its execution was stopped from outside, so the job was not closed."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    STOPPED = "stopped"


_STATUSES = {
    "RUNNING": JobStatus.RUNNING,
    "PENDING_REDRIVE": JobStatus.RUNNING,
    "SUCCEEDED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "ABORTED": JobStatus.STOPPED,
    "TIMED_OUT": JobStatus.STOPPED,
}


def job_status(execution: str, error: str = "") -> JobStatus:
    """Return a job's state from its newest execution's status and error."""
    return JobStatus.CANCELED if error == "JobCanceled" else _STATUSES.get(execution, JobStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a job, from Step Functions' list."""

    name: str
    arn: str
    status: str
    started_at: datetime
    stopped_at: datetime | None = None
    cause: str = ""
    """Why it ended red, if it was described."""

    @property
    def job_id(self) -> str:
        """Return the job's id: the name without a resume's suffix."""
        return job_id_of(self.name)


@dataclass(frozen=True, slots=True)
class Job:
    """A found job: its upload, and its executions, oldest first."""

    record: UploadRecord
    executions: list[Execution]
    error: str = ""
    cause: str = ""

    @property
    def job_id(self) -> str:
        """Return the job's id."""
        return self.record.job_id

    @property
    def newest(self) -> Execution:
        """Return the execution that determines the job's state."""
        return self.executions[-1]

    @property
    def status(self) -> JobStatus:
        """Return the job's state."""
        return job_status(self.newest.status, self.error)

    @property
    def results(self) -> str:
        """Return the prefix of the job's outputs."""
        return results_prefix(self.record.key, self.job_id)


def job_id_of(execution_name: str) -> str:
    """Return the id of the job that an execution belongs to, by its name."""
    named = _NAME.fullmatch(execution_name)
    return named["job"] if named else execution_name


def executions(deployment: Deployment, *, status: str | None = None) -> Iterator[Execution]:
    """Yield all executions of jobs, newest first, a thousand per call, without the shards' own."""
    query: dict[str, Any] = {"stateMachineArn": deployment.state_machine_arn, "maxResults": 1000}
    if status:
        query["statusFilter"] = status
    while True:
        page = deployment.executions.list_executions(**query)
        for one in page["executions"]:
            if not one.get("mapRunArn"):
                yield Execution(one["name"], one["executionArn"], one["status"], one["startDate"], one.get("stopDate"))
        if not page.get("nextToken"):
            return
        query["nextToken"] = page["nextToken"]


def newest_executions(deployment: Deployment, *, status: str | None = None) -> Iterator[Execution]:
    """Yield each job's newest execution, newest job first."""
    seen: set[str] = set()
    for one in executions(deployment, status=status):
        if one.job_id not in seen:
            seen.add(one.job_id)
            yield one


def find_job(deployment: Deployment, wanted: str) -> Job:
    """Return the job with this id, or the only job whose id, or last part of the id, starts with it; else the newest.

    A start of the id means the job's newest version. Raises NoSuchJobError with the nearest jobs.
    """
    job_id = job_id_of(wanted) if wanted else _newest(deployment)
    return known_job(deployment, job_id) or known_job(deployment, _meant(deployment, job_id)) or _gone(job_id)


def known_job(deployment: Deployment, job_id: str) -> Job | None:
    """Return the job with this id, also one whose executions are forgotten; None if there is none."""
    from batchdrop.cli.job.kept_jobs import forgotten_job

    return described_job(deployment, job_id) or forgotten_job(deployment, job_id)


def _newest(deployment: Deployment) -> str:
    newest = next(newest_executions(deployment), None)
    if newest is not None:
        return newest.job_id
    for job_id in _kept(deployment):
        return job_id
    raise NoSuchJobError(f"{deployment.name} has no job; `{deployment.command('drop')}` starts one")


def _kept(deployment: Deployment) -> list[str]:
    from batchdrop.cli.job.kept_jobs import kept_job_ids

    return kept_job_ids(deployment)


def _gone(job_id: str) -> Job:
    raise NoSuchJobError(f"Step Functions lists job {job_id}, but cannot describe it; try again")


def _meant(deployment: Deployment, wanted: str) -> str:
    known = [one.job_id for one in newest_executions(deployment)]
    meant = _starting(known, wanted) or _starting(_kept(deployment), wanted)
    match meant:
        case [one]:
            return one
        case []:
            raise NoSuchJobError(_unknown(deployment, wanted, known))
        case several if len({first_version(job_id) for job_id in several}) == 1:
            return max(several, key=version_of)
        case several:
            raise NoSuchJobError(f"'{wanted}' may be {_some(several)}; write more of the id")


def _starting(known: list[str], wanted: str) -> list[str]:
    return [job_id for job_id in known if wanted and (job_id.startswith(wanted) or _digest(job_id).startswith(wanted))]


def _digest(job_id: str) -> str:
    named = _NAME.fullmatch(job_id)
    return named["digest"] if named else ""


def _unknown(deployment: Deployment, wanted: str, known: list[str]) -> str:
    missing = f"job {wanted} does not exist in {deployment.name}"
    if not known:
        return f"{missing}, which has no jobs yet; `{deployment.command('drop')}` starts one"
    near = get_close_matches(wanted, known, n=NAMED_IN_ERRORS)
    if near:
        return f"{missing}; did you mean {_some(near)}?"
    return f"{missing}; the newest are {_some(known[:NAMED_IN_ERRORS])} (`{deployment.command('ls')}` lists them)"


def _some(job_ids: list[str]) -> str:
    shown = job_ids[:NAMED_IN_ERRORS]
    more = len(job_ids) - len(shown)
    return ", ".join(shown) + (f" or {more:,} others" if more else "")


def described_job(deployment: Deployment, job_id: str) -> Job | None:
    """Return a job with its first execution and the one of each resume; None if it does not exist."""
    found = _described(deployment, job_id)
    if found is None:
        return None
    record = msgspec.json.decode(found["input"], type=UploadRecord)
    all_found = [found]
    while newer := _described(
        deployment, msgspec.structs.replace(record, resumes=record.resumes + len(all_found)).execution_name
    ):
        all_found.append(newer)
    last = all_found[-1]
    return Job(
        msgspec.json.decode(last["input"], type=UploadRecord),
        [
            Execution(
                one["name"],
                one["executionArn"],
                one["status"],
                one["startDate"],
                one.get("stopDate"),
                one.get("cause") or one.get("error", ""),
            )
            for one in all_found
        ],
        last.get("error", ""),
        last.get("cause", ""),
    )


def _described(deployment: Deployment, name: str) -> dict[str, Any] | None:
    client: Any = deployment.executions
    unknown = (client.exceptions.ExecutionDoesNotExist, client.exceptions.InvalidArn)
    try:
        found: dict[str, Any] = client.describe_execution(executionArn=deployment.execution_arn(name))
    except unknown:
        return None
    return found
