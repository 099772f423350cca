"""Clients for moto, made once: making one costs more than most tests. They raise AwsUnavailable as in Lambda."""

from functools import cache
from typing import Any

import boto3
import moto  # noqa: F401 - it must be there before the first client, to stand between that and the network

from batchdrop.adapters.aws.faults import translate_faults

REGION = "us-east-1"
_KEYS: dict[str, Any] = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@cache
def session() -> boto3.Session:
    """Return the session of all of them."""
    made = boto3.Session()
    translate_faults(made.events)
    return made


@cache
def client(service: Any) -> Any:
    """Return a client; use it inside `mock_aws` only."""
    return session().client(service, region_name=REGION, **_KEYS)


@cache
def dynamodb() -> Any:
    """Return the DynamoDB resource; use it inside `mock_aws` only."""
    return session().resource("dynamodb", region_name=REGION, **_KEYS)
