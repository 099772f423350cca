"""A deployed application, on AWS or on this machine, found by its stack's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import botocore.exceptions

from batchdrop.adapters.dynamodb import DynamoLedger
from batchdrop.adapters.dynamodb_approvals import DynamoApprovals
from batchdrop.adapters.stepfunctions import StepFunctionsJobStarter, StepFunctionsTaskTokens


class NotDeployedError(Exception):
    """There is no such stack where the credentials look; the message says what to check."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What commands need of a deployed application."""

    executions: Any
    ledger: DynamoLedger
    approvals: DynamoApprovals
    state_machine_arn: str

    @property
    def jobs(self) -> StepFunctionsJobStarter:
        """Return what starts executions."""
        return StepFunctionsJobStarter(self.executions, self.state_machine_arn)

    @property
    def tokens(self) -> StepFunctionsTaskTokens:
        """Return what wakes tasks that wait."""
        return StepFunctionsTaskTokens(self.executions)

    def execution_arn(self, name: str) -> str:
        """Return the ARN of the execution of that name."""
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def find_deployment(stack: str, *, region: str | None, endpoint_url: str | None) -> Deployment:
    """Return the application deployed as `stack`.

    With `endpoint_url` (as `batchdrop up` prints it) it is the one on this machine, and no AWS credentials are used.
    Raises NotDeployedError.
    """
    try:
        clients = _clients(region, endpoint_url)
        found = clients.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        message = (
            f"no stack '{stack}' ({error}). Check --stack, --region, and your AWS credentials, or give --endpoint-url"
        )
        raise NotDeployedError(message) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    table = clients.resource("dynamodb").Table(outputs["LedgerTableName"])
    return Deployment(
        executions=clients.client("stepfunctions"),
        ledger=DynamoLedger(table),
        approvals=DynamoApprovals(table),
        state_machine_arn=outputs["JobStateMachineArn"],
    )


def _clients(region: str | None, endpoint_url: str | None) -> Any:
    if endpoint_url:
        from local.aws_clients import AwsClients

        return AwsClients(endpoint_url)
    import boto3

    return boto3.session.Session(region_name=region)
