"""`make deploy` and `make destroy`, with the SAM CLI itself, against AWS as ministack serves it."""

from __future__ import annotations

import json
import os
import re
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

from batchdrop.local.claude_api.testing import running_emulator
from batchdrop.local.sam_template import read_template, resources_of_type
from batchdrop.local.service_processes import free_port
from tests.project import ROOT
from tools.invoke.artifacts import BUILD, built

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="`sam build` needs Lambda's Python, which is 3.13"),
]
START_SECONDS = 60
NUMBERS = re.compile(r'"(\$\{(?:ShardConcurrency|ApprovalSeconds)\})"')  # JSON has them in quotes, AWS fills in numbers


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
        command = ["make", "--old-file=setup", target, *given]
        return subprocess.run(
            command,
            cwd=self.checkout,
            env=self.environment,
            input=answers,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            start_new_session=True,  # without the developer's terminal, where a key would be asked for
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
    _link_build(checkout / ".aws-sam/build", endpoint=f"http://127.0.0.1:{port}")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "BIND_HOST": "127.0.0.1", "SFN_WAIT_SCALE": "0.01",
        "IOT_MTLS_ENABLED": "0", "GATEWAY_PORT": str(port), "TMPDIR": str(folder),
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


def _link_build(folder: Path, *, endpoint: str) -> None:
    """Link what was built, changed for ministack: its address, a definition in JSON, workers, no computed alarms.

    Of the layers our own code only: other packages come from this environment. ministack would unpack 240 MB for each
    function; that the built layers work is for tests/built.
    """
    folder.mkdir(parents=True)
    for path in BUILD.iterdir():
        if path.name.endswith("Layer"):
            (folder / path.name / "python").mkdir(parents=True)
            (folder / path.name / "python" / "ours").write_text("others come from this environment\n", encoding="utf-8")
        elif path.name != "template.yaml":
            (folder / path.name).symlink_to(path)
    (folder / "CoreLayer/python/batchdrop").symlink_to(BUILD / "CoreLayer/python/batchdrop")
    described = read_template(BUILD / "template.yaml")
    alarms = resources_of_type(described, "AWS::CloudWatch::Alarm")
    for name in [name for name, properties in alarms if "Metrics" in properties]:
        del described["Resources"][name]
    described["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = endpoint
    job = described["Resources"]["JobStateMachine"]["Properties"]
    definition = json.dumps(yaml.safe_load((BUILD / job["DefinitionUri"]).read_text(encoding="utf-8")))
    job["DefinitionUri"] = "job.asl.json"
    (folder / "job.asl.json").write_text(NUMBERS.sub(r"\1", definition), encoding="utf-8")
    worker = described["Resources"]["AnswerRequestsFunction"]["Properties"]
    worker["Events"]["Slices"]["Properties"]["ScalingConfig"] = {"MaximumConcurrency": 2}
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


def test_the_first_deploy_answers_two_rows_in_each_lane(account: Account) -> None:
    """Three questions and the key; then SAM, the key into its secret, and a smoke test through the real functions."""
    with running_emulator(speed=100.0) as claude:
        where = {"SET": f"AnthropicBaseUrl={claude.base_url}", "BUILT": "1", "YES": "1"}
        first = account.make("deploy", "\n\n\nsk-ant-typed-unseen\n", **where)
        assert first.returncode == 0, first.stdout[-3_000:] + first.stderr[-3_000:]
        said = first.stdout
        assert "stack batchdrop: $3.99 a month without any job" in said
        assert said.index("The key is in its secret") < said.index("live lane       2 of 2 rows answered for $")
        assert said.index("live lane       2 of 2") < said.index("batch lane      2 of 2")
        assert "sk-ant-typed-unseen" not in first.stdout + first.stderr
    [bucket] = account.buckets()
    assert f"aws s3 cp examples/reviews.csv s3://{bucket}/inbox/sentiment/" in said
    assert account.stacks() == ["batchdrop"]


def test_the_next_deploy_asks_for_what_changes_only(account: Account) -> None:
    """It knows its stack and has its key; SAM shows the changes, and one answer is enough."""
    again = account.make("deploy", "y\n", SET="LogLevel=DEBUG", BUILT="1")
    assert again.returncode == 0, again.stdout[-3_000:] + again.stderr[-3_000:]
    assert "Name of the stack" not in again.stdout
    assert "batchdrop doctor --smoke --stack batchdrop --region us-east-1" in again.stdout
    assert "LogLevel=DEBUG" in (account.checkout / "deploy.toml").read_text(encoding="utf-8")


def test_destroy_takes_the_data_if_told(account: Account) -> None:
    """A wrong name deletes nothing. `DATA=delete` deletes everything, also a bucket that has files."""
    refused = account.make("destroy", "something else\n")
    assert (refused.returncode, account.stacks()) == (2, ["batchdrop"])
    assert "nothing was deleted" in refused.stdout
    gone = account.make("destroy", DATA="delete", YES="1")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert (account.stacks(), account.buckets()) == ([], [])
    assert not (account.checkout / "deploy.toml").exists()


def test_destroy_says_where_there_is_nothing(account: Account) -> None:
    """No stack of that name: one line, with what to check."""
    nothing = account.make("destroy", YES="1")
    assert nothing.returncode == 2
    assert "no stack 'batchdrop'" in nothing.stderr
