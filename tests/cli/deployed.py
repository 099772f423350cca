"""A stack on moto, as `sam deploy` would leave it, and jobs in it that ran on the real use cases."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
from moto.stepfunctions.models import stepfunctions_backends

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.cli.deployment import Deployment, find_deployment
from batchdrop.job.manifest import UploadRecord
from batchdrop.job.submission import ShardFailure
from tests.aws import REGION, client, dynamodb
from tests.fakes import START, FakeBatchApi
from tests.jobs import JOB, World
from tests.project import template
from tests.tables import create_ledger_table

ACCOUNT = "123456789012"
BUCKET = f"batchdrop-{ACCOUNT}-{REGION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:batchdrop-job"


class MotoLedger(DynamoLedger):
    """The ledger, with what the state machine itself writes."""

    def fail(self, job_id: str, failure: ShardFailure) -> None:
        """Record a shard's failure."""
        self._table.put_item(
            Item={
                "job": job_id,
                "fact": f"failure#{failure.shard}",
                "error": failure.error,
                "cause": failure.cause,
            }
        )


@dataclass
class Deployed:
    """The stack, and how a test puts jobs into it; use it inside `mock_aws` only."""

    secret: str = "sk-ant-of-a-test"
    ledger: MotoLedger = field(init=False)

    def __post_init__(self) -> None:
        """Make what the template makes, as far as commands ask for it."""
        self.ledger = MotoLedger(create_ledger_table(dynamodb()))
        client("s3").create_bucket(Bucket=BUCKET)
        client("stepfunctions").create_state_machine(name="batchdrop-job", definition="{}", roleArn=ROLE)
        arn = client("secretsmanager").create_secret(Name="key", SecretString=self.secret)["ARN"]
        outputs = {
            "BucketName": BUCKET,
            "JobStateMachineArn": MACHINE,
            "LedgerTableName": "ledger",
            "ApiKeySecretArn": arn,
        }
        client("cloudformation").create_stack(StackName="batchdrop", TemplateBody=json.dumps(_small_template(outputs)))

    def found(self) -> Deployment:
        """The deployment, as commands find it."""
        return find_deployment("batchdrop", region=REGION, endpoint_url=None)

    def put(self, key: str, body: bytes) -> None:
        """Put an object into the bucket."""
        client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)

    def start(self, upload: UploadRecord, status: str = "RUNNING", *, error: str = "", cause: str = "") -> str:
        """Start an execution that stands so; its ARN."""
        arn: str = client("stepfunctions").start_execution(
            stateMachineArn=MACHINE, name=upload.execution_name, input=msgspec.json.encode(upload).decode()
        )["executionArn"]
        self.end(arn, status, error=error, cause=cause)
        return arn

    def end(self, arn: str, status: str, *, error: str = "", cause: str = "") -> None:
        """Have an execution stand so."""
        execution = stepfunctions_backends[ACCOUNT][REGION].describe_execution(arn)
        execution.status = status
        execution.error, execution.cause = error or None, cause or None
        if status != "RUNNING":
            execution.stop_date = execution.start_date

    def job(self, body: bytes, *, key: str = "inbox/r/f.csv", api: FakeBatchApi | None = None, **world: Any) -> World:
        """Run a job to its end with the use cases; its files and facts are in the stack, its execution is not."""
        recipe = world.pop("recipe", None)
        ran = World(api=api or FakeBatchApi(), ledger=self._as_fake(), **world)
        ran.drop(key, body, **({"recipe": recipe} if recipe else {}))
        ran.run()
        for name, content in ran.store.objects.items():
            self.put(name, content)
        return ran

    def _as_fake(self) -> Any:
        return self.ledger


def upload_of(job_id: str = JOB, key: str = "inbox/r/f.csv", *, resumes: int = 0) -> UploadRecord:
    """Return an upload."""
    return UploadRecord(job_id, BUCKET, key, "etag", 99, START, resumes)


def _small_template(outputs: dict[str, str]) -> dict[str, Any]:
    """Return a template that moto knows, with the real one's parameters and these outputs."""
    parameters = template()["Parameters"]
    wanted = ("AnthropicBaseUrl", "LiveConcurrency", "ShardConcurrency")
    return {
        "Parameters": {name: parameters[name] for name in wanted},
        "Resources": {
            name: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
            for name in ("LostEventsQueue", "LostSlicesQueue", "SliceQueue")
        },
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
