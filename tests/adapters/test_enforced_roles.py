"""The roles of the template, enforced by moto's IAM: what a function's adapters do is allowed, and the rest is not.

moto compares the resources of S3 only, and no conditions. `tests/end_to_end/test_least_privilege.py` compares those of
every call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.authorization import enable_iam_authentication

from batchdrop.adapters.aws.dynamodb import DynamoLedger
from batchdrop.adapters.aws.dynamodb_live import DynamoLeases
from batchdrop.adapters.aws.s3 import S3ObjectStore
from batchdrop.job.submission import Halt
from tests.aws import REGION, client, dynamodb
from tests.expanded import plain, statements
from tests.fakes import START
from tests.tables import create_ledger_table

ACCOUNT = "123456789012"
STACK = "batchdrop"
BUCKET = f"{STACK}-{ACCOUNT}-{REGION}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def _filled_in(resource: Any) -> str:
    """Return a statement's resource for this account. Outside S3, moto asks for any resource."""
    values = {"Partition": "aws", "Region": REGION, "AccountId": ACCOUNT, "StackName": STACK}
    arn = re.sub(r"\$\{AWS::(\w+)\}", lambda found: values[found[1]], resource.get("Fn::Sub", ""))
    return arn if arn.startswith("arn:aws:s3:") else "*"


def _policy(function: str) -> str:
    role = plain()["Resources"][f"{function}FunctionRole"]
    filled = []
    for one in statements(role):
        resources = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        filled.append({**one, "Resource": [_filled_in(resource) for resource in resources]})
    return json.dumps({"Version": "2012-10-17", "Statement": filled})


@contextmanager
def _as_function(function: str) -> Iterator[boto3.Session]:
    """Yield a session with the function's role. Bucket and ledger exist, and IAM is enforced."""
    with mock_aws():
        create_ledger_table(dynamodb())
        client("s3").create_bucket(Bucket=BUCKET)
        for prefix in ("jobs", "results", "inbox", "recipes"):
            client("s3").put_object(Bucket=BUCKET, Key=f"{prefix}/x", Body=b"x")
        iam = client("iam")
        role = iam.create_role(RoleName=function, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        iam.put_role_policy(RoleName=function, PolicyName="own", PolicyDocument=_policy(function))
        keys = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
        with enable_iam_authentication():
            yield boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)


def _store(session: boto3.Session) -> S3ObjectStore:
    return S3ObjectStore(session.client("s3"), BUCKET)


def _ledger(session: boto3.Session) -> DynamoLedger:
    return DynamoLedger(session.resource("dynamodb").Table("ledger"))


def test_collect_results_reads_the_tries_of_workers_and_stores_answers() -> None:
    """Its own part of the ledger, and its own files."""
    with _as_function("CollectResults") as session:
        store, ledger = _store(session), _ledger(session)
        assert ledger.tries_left("job", 0, 0) == []
        assert ledger.halted("job") is None
        ledger.halt("job", Halt("AccountTrouble", "HTTP 402", START))
        store.write("jobs/job/answers/00000.r0.jsonl", b"{}\n")
        assert store.read("jobs/x") == b"x"
        assert [*store.keys("jobs/job/")] == ["jobs/job/answers/00000.r0.jsonl"]


def test_a_worker_takes_its_slice_and_writes_its_answers() -> None:
    """It takes, renews and releases a lease, and cannot list the ledger."""
    with _as_function("AnswerRequests") as session:
        leases = DynamoLeases(session.resource("dynamodb").Table("ledger"))
        lease = leases.take("job", "00000#r0#00000", "a", now=START, until=START)
        assert leases.renew(lease, START, done=1)
        leases.release(lease, START, done=1)
        _store(session).write("jobs/job/answers/00000.r0.live/00000-a-00000.jsonl", b"{}\n")
        with pytest.raises(ClientError, match="AccessDenied"):
            _ledger(session).tries_left("job", 0, 0)


def test_the_retention_guard_sees_the_ledger_and_no_file() -> None:
    """It scans for what is not collected, and that is all."""
    with _as_function("GuardRetention") as session:
        assert [*_ledger(session).uncollected(START)] == []
        with pytest.raises(ClientError, match="AccessDenied"):
            _store(session).read("jobs/x")
        with pytest.raises(ClientError, match="AccessDenied"):
            _ledger(session).halt("job", Halt("AccountTrouble", "HTTP 402", START))


@pytest.mark.parametrize("function", ["SubmitShard", "PlanSlices", "CheckPilot"])
def test_a_function_that_only_reads_files_writes_none(function: str) -> None:
    """The bodies that it sends were written by the split."""
    with _as_function(function) as session:
        assert _store(session).read("jobs/x") == b"x"
        with pytest.raises(ClientError, match="AccessDenied"):
            _store(session).write("jobs/x", b"y")
