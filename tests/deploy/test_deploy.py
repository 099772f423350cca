"""`make deploy` and `make destroy`, with the SAM CLI itself, against AWS as ministack serves it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from batchdrop.local.sam_template import read_template, resources_of_type
from batchdrop.local.service_processes import free_port
from tests.project import ROOT, template
from tools.invoke.artifacts import BUILD, built

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="`sam build` needs Lambda's Python, which is 3.13"),
]
START_SECONDS = 60
# Stack name, region, the parameters, then: confirm changes, IAM roles, rollback, save, file, environment.
QUESTIONS = 2 + len(template()["Parameters"]) + 6


@dataclass
class Account:
    """An empty AWS account, and a checkout to deploy from."""

    environment: dict[str, str]
    session: Any
    checkout: Path

    def make(self, target: str, answers: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run make as a user does, with these answers typed."""
        given = [f"{name}={value}" for name, value in variables.items()]
        # What is built is built: this is about deploying.
        command = ["make", "--old-file=build", "--old-file=setup", target, *given]
        return subprocess.run(
            command,
            cwd=self.checkout,
            env=self.environment,
            input=answers,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def stacks(self) -> list[str]:
        """Return the stacks that there are."""
        found = self.session.client("cloudformation").describe_stacks()["Stacks"]
        return [one["StackName"] for one in found if not one["StackName"].startswith("aws-sam-cli")]

    def buckets(self) -> list[str]:
        """Return the buckets that there are."""
        found = self.session.client("s3").list_buckets()["Buckets"]
        return [one["Name"] for one in found if not one["Name"].startswith("aws-sam-cli")]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Start ministack; link the project's files into a folder, so that `deploy.toml` is written there."""
    built()
    folder, port = tmp_path_factory.mktemp("deploy"), free_port()
    checkout = folder / "checkout"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if path.name not in {"deploy.toml", ".git", ".aws-sam"}:
            (checkout / path.name).symlink_to(path)
    _link_build(checkout / ".aws-sam/build")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "GATEWAY_PORT": str(port), "TMPDIR": str(folder),
    }  # fmt: skip
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        _await_health(port)
        session = boto3.session.Session("test", "test", region_name="us-east-1")
        yield Account(environment, _At(session, environment["AWS_ENDPOINT_URL"]), checkout)
    finally:
        process.kill()
        process.wait()


def _link_build(folder: Path) -> None:
    """Link what was built, but for the alarms that compute from several metrics: ministack's take one each."""
    folder.mkdir(parents=True)
    for path in BUILD.iterdir():
        if path.name != "template.yaml":
            (folder / path.name).symlink_to(path)
    described = read_template(BUILD / "template.yaml")
    alarms = resources_of_type(described, "AWS::CloudWatch::Alarm")
    for name in [name for name, properties in alarms if "Metrics" in properties]:
        del described["Resources"][name]
    (folder / "template.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")


class _At:
    """A session whose clients all go to one address."""

    def __init__(self, session: Any, url: str) -> None:
        self._session, self._url = session, url

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._url)


def _await_health(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    message = f"ministack did not answer within {START_SECONDS} s"
    raise AssertionError(message)


def test_deploy_asks_once_and_destroy_keeps_the_data(account: Account) -> None:
    """Guided the first time, then only what would change; the bucket outlives the stack unless told."""
    first = account.make("deploy", "\n" * QUESTIONS + "y\n")
    assert first.returncode == 0, first.stdout[-3_000:] + first.stderr[-3_000:]
    assert "Parameter ShardRows [100000]" in first.stdout
    assert "aws secretsmanager put-secret-value --secret-id " in first.stdout
    assert account.stacks() == ["batchdrop"]
    [bucket] = account.buckets()
    assert f"s3://{bucket}/inbox/sentiment/" in first.stdout

    again = account.make("deploy", "y\n")
    assert "Parameter ShardRows [100000]" not in again.stdout
    assert again.returncode == 0, again.stdout[-3_000:] + again.stderr[-3_000:]

    refused = account.make("destroy", "something else\n")
    assert (refused.returncode, account.stacks()) == (2, ["batchdrop"])
    assert "nothing was deleted" in refused.stdout

    kept = account.make("destroy", "batchdrop\n")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert (account.stacks(), account.buckets()) == ([], [bucket])
    assert bucket in kept.stdout


def test_destroy_can_take_the_data_with_it(account: Account) -> None:
    """`DATA=delete` leaves nothing; a file in the bucket is no obstacle."""
    account.session.client("s3").delete_bucket(Bucket=account.buckets()[0])
    deployed = account.make("deploy", "\n" * QUESTIONS + "y\n")
    assert deployed.returncode == 0, deployed.stdout[-3_000:] + deployed.stderr[-3_000:]
    account.session.client("s3").put_object(Bucket=account.buckets()[0], Key="results/x", Body=b"paid for")
    gone = account.make("destroy", DATA="delete", YES="1")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert (account.stacks(), account.buckets()) == ([], [])


def test_destroy_says_where_there_is_nothing(account: Account) -> None:
    """No stack of that name: one line, with what to check."""
    nothing = account.make("destroy", YES="1")
    assert nothing.returncode == 2
    assert "no stack 'batchdrop'" in nothing.stderr
