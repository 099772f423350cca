"""Make boto3 clients that can only reach ministack."""

import os
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from batchdrop.local.child_environment import ACCOUNT, REGION, SECRET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_stepfunctions import SFNClient

# botocore's (config key, environment variables, default, conversion) by setting. They disable AWS_PROFILE: a missing
# profile would be an error, and an existing one could change how requests are made.
_NO_FILES_NO_PROFILE: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


_one_at_a_time = Lock()


@cache
def _session() -> Any:
    """Return the session of all clients. Create only one: loading a service's models takes 0.3 s of CPU."""
    from boto3.session import Session
    from botocore.session import Session as BotocoreSession

    return Session(
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        botocore_session=BotocoreSession(_NO_FILES_NO_PROFILE),
    )


@dataclass(frozen=True)
class AwsClients:
    """Makes clients with the stack's endpoint and account; ignores the user's profiles, keys and proxies."""

    endpoint_url: str

    def client(self, service: str) -> Any:
        """Return a new client for any service, by boto3's name."""
        return self._made("client", service)

    def resource(self, service: str) -> Any:
        """Return a new boto3 resource, for the services that have one."""
        return self._made("resource", service)

    def _made(self, kind: Literal["client", "resource"], service: str) -> Any:
        # Imported late (0.5 s), while the processes start.
        from botocore.config import Config

        config = Config(
            s3={"addressing_style": "path"},
            proxies={},
            connect_timeout=5,
            read_timeout=60,
            retries={"total_max_attempts": 3, "mode": "standard"},
        )
        with _one_at_a_time:  # clients are thread-safe, but creating them is not
            make: Callable[..., Any] = getattr(_session(), kind)
            return make(service, endpoint_url=self.endpoint_url, config=config)

    def s3(self) -> "S3Client":
        """Return an S3 client."""
        found: S3Client = self.client("s3")
        return found

    def stepfunctions(self) -> "SFNClient":
        """Return a Step Functions client."""
        found: SFNClient = self.client("stepfunctions")
        return found

    def dynamodb(self) -> "DynamoDBClient":
        """Return a DynamoDB client."""
        found: DynamoDBClient = self.client("dynamodb")
        return found

    def secretsmanager(self) -> "SecretsManagerClient":
        """Return a Secrets Manager client."""
        found: SecretsManagerClient = self.client("secretsmanager")
        return found

    def cloudformation(self) -> "CloudFormationClient":
        """Return a CloudFormation client."""
        found: CloudFormationClient = self.client("cloudformation")
        return found

    def functions(self) -> "LambdaClient":
        """Return a Lambda client."""
        found: LambdaClient = self.client("lambda")
        return found

    def logs(self) -> "CloudWatchLogsClient":
        """Return a CloudWatch Logs client."""
        found: CloudWatchLogsClient = self.client("logs")
        return found
