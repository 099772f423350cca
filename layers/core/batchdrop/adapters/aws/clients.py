"""Clients of AWS for the adapters: the only place of the functions that makes them."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from batchdrop.adapters.aws.faults import translate_faults

ATTEMPTS = 8  # of one call, by the SDK itself; after them the fault is AwsUnavailable


def client(service: Any) -> Any:
    """Return a client of a service, such as `s3`. Its calls raise AwsUnavailable for a transient fault."""
    return _session().client(service, config=_config())


def table(name: str) -> Any:
    """Return a DynamoDB table; likewise."""
    return _session().resource("dynamodb", config=_config()).Table(name)


@cache
def _session() -> boto3.Session:
    """Return the session of this process. It keeps the services' models, which take long to read."""
    session = boto3.Session()
    translate_faults(session.events)
    return session


def _config() -> Config:
    # Standard mode retries throttling (DynamoDB, S3 503 SlowDown) with jittered backoff.
    return Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, s3={"addressing_style": "auto"})
