"""Find a deployed application, on AWS or on this machine, by its stack's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
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
from batchdrop.job.ports import Approvals, Ledger

DEFAULT_STACK = "batchdrop"
CONNECTIONS = 32  # as many as commands read concurrently


_one_at_a_time = Lock()


class NotDeployedError(CommandError):
    """The stack does not exist for these credentials; the message says what to check."""


class WhichStackError(CommandError):
    """Several stacks run here, and the command names none of them."""

    exit_code = USAGE_ERROR


def no_client(service: str) -> Any:
    """Raise: the default for deployments that only need executions and the ledger."""
    message = f"this deployment was made without a client of {service}"
    raise NotImplementedError(message)


@dataclass(frozen=True)
class Deployment:
    """A deployed application for commands. `client` makes a boto3 client by the name of its service."""

    executions: Any
    ledger: Ledger
    approvals: Approvals
    state_machine_arn: str
    client: Callable[[str], Any] = no_client
    outputs: dict[str, str] = field(default_factory=dict)
    stack: str = DEFAULT_STACK
    region: str | None = None
    endpoint_url: str | None = None
    progress: ReadProgress = no_progress
    described: dict[str, Any] = field(default_factory=dict, repr=False)
    """The stack as CloudFormation describes it."""

    @property
    def jobs(self) -> StepFunctionsJobStarter:
        """Return the starter of executions."""
        return StepFunctionsJobStarter(self.executions, self.state_machine_arn)

    @property
    def tokens(self) -> StepFunctionsTaskTokens:
        """Return the tokens of waiting tasks."""
        return StepFunctionsTaskTokens(self.executions)

    @property
    def bucket_name(self) -> str:
        """Return the bucket's name."""
        return self.outputs["BucketName"]

    @cached_property
    def s3(self) -> Any:
        """Return an S3 client for the bucket."""
        return self.client("s3")

    @cached_property
    def store(self) -> S3ObjectStore:
        """Return the bucket for use cases."""
        return S3ObjectStore(self.s3, self.bucket_name)

    @cached_property
    def bucket(self) -> JobBucket:
        """Return the bucket for commands."""
        return JobBucket(self.s3, self.bucket_name)

    @property
    def is_embedded(self) -> bool:
        """Return whether it runs on this machine, or behind another `--endpoint-url`."""
        return self.endpoint_url is not None

    @property
    def name(self) -> str:
        """Return its name in messages."""
        if self.endpoint_url:
            return f"the stack at {self.endpoint_url}"
        return f"stack '{self.stack}'" + (f" in {self.region}" if self.region else "")

    def execution_arn(self, name: str) -> str:
        """Return the ARN of the execution of that name."""
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def command(self, *words: str) -> str:
        """Return a `batchdrop` command for this stack, to show to the user."""
        options: list[str] = []
        if self.endpoint_url:
            options = [] if _is_default(self.endpoint_url) else ["--endpoint-url", self.endpoint_url]
        else:
            options += ["--stack", self.stack]
            options += ["--region", self.region] if self.region else []
        return " ".join(("batchdrop", *words, *options))


def _not_found(name: str, endpoint: str | None, error: Exception) -> str:
    """Return why a stack was not found: usually it is not the stack that is missing."""
    match error:
        case botocore.exceptions.NoRegionError():
            return f"no AWS region is set, so no stack '{name}' can be found; give --region, or set AWS_REGION"
        case botocore.exceptions.NoCredentialsError() | botocore.exceptions.PartialCredentialsError():
            return (
                f"no AWS credentials, so no stack '{name}' can be found; log in (`aws sso login`), or set AWS_PROFILE"
            )
        case botocore.exceptions.EndpointConnectionError() | botocore.exceptions.ConnectTimeoutError() if endpoint:
            return f"nothing answers at {endpoint}; start `batchdrop up`, and use the endpoint that it prints"
        case botocore.exceptions.EndpointConnectionError() | botocore.exceptions.ConnectTimeoutError():
            return f"AWS cannot be reached ({error}); check --region, the network and its proxy"
        case botocore.exceptions.ClientError() if "does not exist" not in str(error):
            return f"AWS refuses to show stack '{name}' ({error}); check your AWS credentials"
    return f"no stack '{name}' ({error}). Check --stack and --region; `make deploy` makes one"


def find_deployment(stack: str | None, *, region: str | None, endpoint_url: str | None) -> Deployment:
    """Return the application deployed as `stack` (default: batchdrop).

    With `endpoint_url` (as `batchdrop up` prints it), it is the one on this machine, without AWS credentials. The same
    holds if nothing is named and one `batchdrop up` runs here. Raises NotDeployedError, WhichStackError.
    """
    endpoint = endpoint_url or (None if stack or region else _running_here())
    name = stack or DEFAULT_STACK
    client, ledger_table = _clients(region, endpoint)
    try:
        found = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise NotDeployedError(_not_found(name, endpoint, error)) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    missing = {"LedgerTableName", "JobStateMachineArn", "BucketName"} - outputs.keys()
    if missing:
        message = (
            f"stack '{name}' ({found['StackStatus']}) is not batchdrop, or is not fully deployed: it lacks the output "
            f"{', '.join(sorted(missing))}. See the stack's events in CloudFormation, then `make deploy` again"
        )
        raise NotDeployedError(message)
    ledger, approvals, progress = _ledger(ledger_table(outputs["LedgerTableName"]), _ledger_file(found))
    return Deployment(
        executions=client("stepfunctions"),
        ledger=ledger,
        approvals=approvals,
        progress=progress,
        state_machine_arn=outputs["JobStateMachineArn"],
        client=client,
        outputs=outputs,
        stack=name,
        region=region,
        endpoint_url=endpoint,
        described=found,
    )


def _ledger_file(stack: Any) -> str:
    """Return the file that holds the ledger of a durable stack on this machine; empty if the table does."""
    parameters = {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}
    return str(parameters.get("LedgerFile", ""))


def _ledger(table: Any, file: str) -> tuple[Ledger, Approvals, ReadProgress]:
    in_table = DynamoLedger(table)
    if not file:
        return in_table, DynamoApprovals(table), DynamoProgressBoard(table).noted
    from batchdrop.adapters.sqlite.approvals import SqliteApprovals
    from batchdrop.adapters.sqlite.fact_file import FactFile
    from batchdrop.adapters.sqlite.ledger import SqliteLedger
    from batchdrop.adapters.sqlite.progress import SqliteProgressBoard

    facts = FactFile(Path(file))
    return SqliteLedger(facts, in_table), SqliteApprovals(facts), SqliteProgressBoard(facts).noted


@cache
def _session(region: str | None) -> Any:
    """Return a session. Create only one: loading the services' models takes longer than all requests."""
    import boto3

    return boto3.session.Session(region_name=region)


def _running_here() -> str | None:
    running = running_stacks()
    if len(running) > 1:
        urls = " or ".join(one.endpoint_url for one in running)
        raise WhichStackError(f"{len(running)} `batchdrop up` stacks run here; choose one with --endpoint-url {urls}")
    return running[0].endpoint_url if running else None


def _is_default(endpoint_url: str) -> bool:
    return [one.endpoint_url for one in running_stacks()] == [endpoint_url]


def _clients(region: str | None, endpoint_url: str | None) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    """Return a maker of clients, and a maker of the ledger's table."""
    if endpoint_url:
        from batchdrop.local.aws_clients import AwsClients

        local = AwsClients(endpoint_url)
        return local.client, lambda name: local.resource("dynamodb").Table(name)
    from botocore.config import Config

    session = _session(region)
    config = Config(retries={"mode": "standard", "total_max_attempts": 6}, max_pool_connections=CONNECTIONS)

    def client(service: str) -> Any:
        with _one_at_a_time:  # boto3 clients are thread-safe, but creating them is not
            return session.client(service, config=config)

    return client, lambda name: session.resource("dynamodb", config=config).Table(name)
