"""Clients of AWS for the adapters: the only place of the functions that makes them.

They know the operations in `models/` alone, which `python -m tools.aws_models` takes from botocore. Reading botocore's
own data takes a third of a cold start's CPU.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from batchdrop.adapters.aws.faults import translate_faults
from batchdrop.errors import AccountTrouble

MODELS = Path(__file__).with_name("models")
ATTEMPTS = 8  # of one call, by the SDK itself; after them the fault is AwsUnavailable


def client(service: Any) -> Any:
    """Return a client of a service, such as `s3`. Its calls raise AwsUnavailable for a transient fault."""
    return _session().client(service, config=_config())


def table(name: str) -> Any:
    """Return a DynamoDB table; likewise."""
    return _session().resource("dynamodb", config=_config()).Table(name)


def credentials() -> Any:
    """Return the credentials of this process, such as a function's role. Raises AccountTrouble without any."""
    found = _session().get_credentials()
    if found is None:
        message = "there are no AWS credentials to sign with"
        raise AccountTrouble(message)
    return found


@cache
def _session() -> boto3.Session:
    """Return the session of this process. It keeps the services' models, which take long to read."""
    with_models = botocore.session.Session()
    loader = Loader(extra_search_paths=[str(MODELS)], include_default_search_paths=False)
    with_models.register_component("data_loader", loader)
    session = boto3.Session(botocore_session=with_models)
    translate_faults(session.events)
    return session


def _config() -> Config:
    # Standard mode retries throttling (DynamoDB, S3 503 SlowDown) with jittered backoff.
    return Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, s3={"addressing_style": "auto"})
