"""A deployed application, on AWS or on this machine, found by its stack's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from threading import Lock
from typing import Any

import botocore.exceptions

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.aws.dynamodb_approvals import DynamoApprovals
from batchdrop.adapters.aws.dynamodb_progress import DynamoProgressBoard
from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.adapters.aws.stepfunctions import StepFunctionsJobStarter, StepFunctionsTaskTokens
from batchdrop.cli.bucket import JobBucket
from batchdrop.cli.console import USAGE_ERROR, CommandError
from batchdrop.cli.job.job_view import ReadProgress, no_progress
from batchdrop.cli.run.running_stacks import running_stacks

DEFAULT_STACK = "batchdrop"
CONNECTIONS = 32  # as many as commands ask side by side


_one_at_a_time = Lock()


class NotDeployedError(CommandError):
    """There is no such stack where the credentials look; the message says what to check."""


class WhichStackError(CommandError):
    """Several stacks run here, and the command names none."""

    exit_code = USAGE_ERROR


def no_client(service: str) -> Any:
    """Stand for clients where nothing but executions and ledger is asked."""
    message = f"this deployment was made without a client of {service}"
    raise NotImplementedError(message)


@dataclass(frozen=True)
class Deployment:
    """What commands need of a deployed application. `client` makes a boto3 client by its service's name."""

    executions: Any
    ledger: DynamoLedger
    approvals: DynamoApprovals
    state_machine_arn: str
    client: Callable[[str], Any] = no_client
    outputs: dict[str, str] = field(default_factory=dict)
    stack: str = DEFAULT_STACK
    region: str | None = None
    endpoint_url: str | None = None
    progress: ReadProgress = no_progress
    described: dict[str, Any] = field(default_factory=dict, repr=False)
    """CloudFormation's own description of the stack."""

    @property
    def jobs(self) -> StepFunctionsJobStarter:
        """Return what starts executions."""
        return StepFunctionsJobStarter(self.executions, self.state_machine_arn)

    @property
    def tokens(self) -> StepFunctionsTaskTokens:
        """Return what wakes tasks that wait."""
        return StepFunctionsTaskTokens(self.executions)

    @property
    def bucket_name(self) -> str:
        """Return the bucket's name."""
        return self.outputs["BucketName"]

    @cached_property
    def s3(self) -> Any:
        """Return a client of the bucket's service."""
        return self.client("s3")

    @cached_property
    def store(self) -> S3ObjectStore:
        """Return the bucket as the use cases see it."""
        return S3ObjectStore(self.s3, self.bucket_name)

    @cached_property
    def bucket(self) -> JobBucket:
        """Return the bucket as commands see it."""
        return JobBucket(self.s3, self.bucket_name)

    @property
    def is_embedded(self) -> bool:
        """Tell whether it runs on this machine, or wherever `--endpoint-url` points."""
        return self.endpoint_url is not None

    @property
    def name(self) -> str:
        """Return what messages call it."""
        if self.endpoint_url:
            return f"the stack at {self.endpoint_url}"
        return f"stack '{self.stack}'" + (f" in {self.region}" if self.region else "")

    def execution_arn(self, name: str) -> str:
        """Return the ARN of the execution of that name."""
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def command(self, *words: str) -> str:
        """Return a `batchdrop` command that asks this same stack, to be shown to the user."""
        options: list[str] = []
        if self.endpoint_url:
            options = [] if _is_default(self.endpoint_url) else ["--endpoint-url", self.endpoint_url]
        else:
            options += ["--stack", self.stack]
            options += ["--region", self.region] if self.region else []
        return " ".join(("batchdrop", *words, *options))


def find_deployment(stack: str | None, *, region: str | None, endpoint_url: str | None) -> Deployment:
    """Return the application deployed as `stack` (default: batchdrop).

    With `endpoint_url` (as `batchdrop up` prints it) it is the one on this machine, and no AWS credentials are used; so
    it is when nothing is named and one `batchdrop up` runs here. Raises NotDeployedError, WhichStackError.
    """
    endpoint = endpoint_url or (None if stack or region else _running_here())
    name = stack or DEFAULT_STACK
    client, ledger_table = _clients(region, endpoint)
    try:
        found = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        message = (
            f"no stack '{name}' ({error}). Check --stack, --region, and your AWS credentials, or give --endpoint-url"
        )
        raise NotDeployedError(message) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    missing = {"LedgerTableName", "JobStateMachineArn", "BucketName"} - outputs.keys()
    if missing:
        message = (
            f"stack '{name}' ({found['StackStatus']}) is no batchdrop, or not deployed to its end: it has no output "
            f"{', '.join(sorted(missing))}. See the stack's events in CloudFormation, then `make deploy` again"
        )
        raise NotDeployedError(message)
    table = ledger_table(outputs["LedgerTableName"])
    return Deployment(
        executions=client("stepfunctions"),
        ledger=DynamoLedger(table),
        approvals=DynamoApprovals(table),
        progress=DynamoProgressBoard(table).noted,
        state_machine_arn=outputs["JobStateMachineArn"],
        client=client,
        outputs=outputs,
        stack=name,
        region=region,
        endpoint_url=endpoint,
        described=found,
    )


@cache
def _session(region: str | None) -> Any:
    """Return a session; reading the services' models, which it keeps, costs more than all that is asked of them."""
    import boto3

    return boto3.session.Session(region_name=region)


def _running_here() -> str | None:
    running = running_stacks()
    if len(running) > 1:
        urls = " or ".join(one.endpoint_url for one in running)
        raise WhichStackError(
            f"{len(running)} stacks of `batchdrop up` run here: say which, with --endpoint-url {urls}"
        )
    return running[0].endpoint_url if running else None


def _is_default(endpoint_url: str) -> bool:
    return [one.endpoint_url for one in running_stacks()] == [endpoint_url]


def _clients(region: str | None, endpoint_url: str | None) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    """Return what makes clients, and what makes the ledger's table."""
    if endpoint_url:
        from batchdrop.local.aws_clients import AwsClients

        local = AwsClients(endpoint_url)
        return local.client, lambda name: local.resource("dynamodb").Table(name)
    from botocore.config import Config

    session = _session(region)
    config = Config(retries={"mode": "standard", "total_max_attempts": 6}, max_pool_connections=CONNECTIONS)

    def client(service: str) -> Any:
        with _one_at_a_time:  # clients may be used by several threads, but not be made by them
            return session.client(service, config=config)

    return client, lambda name: session.resource("dynamodb", config=config).Table(name)
