"""Starts jobs: one execution a job, named by its id, so that a second delivery starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchdrop.domain.manifest import UploadRecord

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StepFunctionsJobStarter:
    """JobStarter on a Step Functions state machine."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def start(self, upload: UploadRecord) -> bool:
        """Start the job's execution; return False if it exists.

        AWS may also answer 200 for one that is still running with the same input; that starts nothing either.
        """
        body = msgspec.json.encode(upload).decode()
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=upload.execution_name, input=body)
        except self._client.exceptions.ExecutionAlreadyExists:
            return False
        return True
