"""Start jobs as executions named by their ids, list open jobs, and end tasks that wait for a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from batchdrop.job.manifest import UploadRecord
from batchdrop.job.ports import TaskGone

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


MAX_CAUSE = 32_000  # SendTaskFailure: `cause` has at most 32,768 characters


class StepFunctionsJobStarter:
    """JobStarter on a Step Functions state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def start(self, upload: UploadRecord) -> bool:
        """Start the job's execution. Return False if it exists.

        AWS may also answer 200 for an execution that still runs with the same input. That starts nothing either.
        """
        body = msgspec.json.encode(upload).decode()
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=upload.execution_name, input=body)
        except self._client.exceptions.ExecutionAlreadyExists:
            return False
        return True


class StepFunctionsOpenJobs:
    """OpenJobs on a Step Functions state machine. Shards are executions of a Map Run and do not count as jobs."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def started_at(self) -> Iterator[datetime]:
        """Yield when each running execution was started."""
        pages = self._client.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=self._arn, statusFilter="RUNNING"):
            yield from (one["startDate"] for one in page["executions"] if not one.get("mapRunArn"))


class StepFunctionsTaskTokens:
    """TaskTokens on Step Functions."""

    def __init__(self, client: SFNClient) -> None:
        self._client = client
        errors = client.exceptions
        self._gone = (errors.TaskTimedOut, errors.InvalidToken, errors.TaskDoesNotExist)

    def succeed(self, token: str, output: bytes) -> None:
        """End the task with its output. Raises TaskGone."""
        self._tell(self._client.send_task_success, taskToken=token, output=output.decode())

    def fail(self, token: str, error: str, cause: str) -> None:
        """End the task with an error. Raises TaskGone."""
        cause = cause.encode()[:MAX_CAUSE].decode(errors="ignore")
        self._tell(self._client.send_task_failure, taskToken=token, error=error, cause=cause)

    def heartbeat(self, token: str) -> None:
        """Tell that the task is alive. Raises TaskGone."""
        self._tell(self._client.send_task_heartbeat, taskToken=token)

    def _tell(self, call: Callable[..., object], **what: str) -> None:
        try:
            call(**what)
        except self._gone as error:
            raise TaskGone(str(error)) from error
