"""Checks before a deploy, the key on its way, and taking a stack down: on moto, without building anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from batchdrop.cli.doctor.findings import Finding, ok, problem
from tests.project import template
from tools.deploy import checks, saved
from tools.deploy.checks import CannotDeployError, Target
from tools.deploy.destroy import CannotDestroyError, destroy
from tools.deploy.key import has_key, store_key, typed_key

REGION, ACCOUNT = "eu-central-1", "123456789012"
HERE = Target("batchdrop", REGION, ACCOUNT)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield boto3.session.Session(region_name=REGION)


def _stack(session: Any, **resources: dict[str, Any]) -> None:
    session.client("cloudformation").create_stack(
        StackName="batchdrop", TemplateBody=json.dumps({"Resources": resources})
    )


BUCKET = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": HERE.bucket}}


@pytest.mark.parametrize("name", ["Batchdrop", "batch_drop", "9lives", "", "-x"])
def test_a_name_that_no_bucket_can_begin_with(name: str) -> None:
    """CloudFormation takes capitals, S3 does not: it would fail after the build."""
    with pytest.raises(CannotDeployError, match="lower-case letters, digits and hyphens"):
        checks.refuse_bad_name(name)


def test_a_name_that_is_too_long_says_by_how_much(session: Any) -> None:
    """Name, account and region make the bucket's name, and S3 takes 63 characters."""
    assert checks.target_of(session, "batchdrop", REGION) == HERE
    fits = "b" * (63 - len(f"-{ACCOUNT}-{REGION}"))
    assert len(checks.target_of(session, fits, REGION).bucket) == 63
    with pytest.raises(CannotDeployError, match=r"would have 65 characters.* that is 2 shorter"):
        checks.target_of(session, fits + "bb", REGION)


def test_credentials_that_aws_refuses() -> None:
    """It says how to set them up."""
    from botocore.exceptions import NoCredentialsError

    def refused() -> None:
        raise NoCredentialsError

    session = SimpleNamespace(client=lambda *_, **__: SimpleNamespace(get_caller_identity=refused))
    with pytest.raises(CannotDeployError, match="aws configure"):
        checks.target_of(session, "batchdrop", REGION)


def test_an_empty_account_is_free(session: Any) -> None:
    """Nothing is in the way."""
    assert not checks.refuse_stack_in_the_way(session, HERE)


def test_a_stack_that_is_there_is_updated(session: Any) -> None:
    """Its own bucket is not in its way."""
    _stack(session, Bucket=BUCKET)
    assert checks.refuse_stack_in_the_way(session, HERE)


@pytest.mark.parametrize(
    ("status", "says"), [("ROLLBACK_COMPLETE", "make destroy"), ("UPDATE_IN_PROGRESS", "wait until that is done")]
)
def test_a_stack_that_cannot_be_updated(session: Any, monkeypatch: pytest.MonkeyPatch, status: str, says: str) -> None:
    """A first deploy that rolled back has to go first; one that runs has to end."""
    monkeypatch.setattr(checks, "status_of", lambda *_: status)
    with pytest.raises(CannotDeployError, match=says):
        checks.refuse_stack_in_the_way(session, HERE)


def test_a_bucket_that_an_earlier_stack_left(session: Any) -> None:
    """CloudFormation would find out after the build."""
    session.client("s3").create_bucket(Bucket=HERE.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(CannotDeployError, match=f"aws s3 rb s3://{HERE.bucket} --force"):
        checks.refuse_stack_in_the_way(session, HERE)


@pytest.mark.parametrize(("free", "notes"), [(10, 1), (1_000, 0)])
def test_a_new_accounts_concurrency_is_told(free: int, notes: int) -> None:
    """Ten functions at a time are enough to work, and slow."""
    client = SimpleNamespace(get_account_settings=lambda: {"AccountLimit": {"ConcurrentExecutions": free}})
    assert len([*checks.warnings(SimpleNamespace(client=lambda _: client), {})]) == notes


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("LiveRow=5", "no parameter 'LiveRow'; did you mean LiveRows"),
        ("LiveRows", "write NAME=VALUE"),
        ("Alarms=none", "Alarms takes basic, full, not 'none'"),
    ],
)
def test_parameters_that_the_template_does_not_take(given: str, says: str) -> None:
    """A misspelt parameter is found before the build."""
    with pytest.raises(CannotDeployError, match=says):
        checks.parameters_of([given], template()["Parameters"])


def test_what_was_told_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """deploy.toml is the SAM CLI's file; the next deploy reads it."""
    monkeypatch.setattr(saved, "CONFIG", tmp_path / "deploy.toml")
    assert (saved.stack_name(), saved.region(), saved.parameters()) == ("batchdrop", None, {})
    given = {"NotifyEmail": "a@b.example", "AnthropicBaseUrl": "http://x/?a=b"}
    saved.save("mine", REGION, given)
    assert (saved.stack_name(), saved.region(), saved.parameters()) == ("mine", REGION, given)


def test_parameters_as_sam_writes_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`sam deploy --guided` of an earlier version wrote them as one text."""
    monkeypatch.setattr(saved, "CONFIG", tmp_path / "deploy.toml")
    text = 'A=\\"1\\" B=\\"two words\\"'
    saved.CONFIG.write_text(f'[default.deploy.parameters]\nparameter_overrides = "{text}"\n', encoding="utf-8")
    assert saved.parameters() == {"A": "1", "B": "two words"}


def test_a_key_is_tried_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key ends the deploy at once; the key is in no message."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    def refused(url: str, _key: str, fix: str) -> Finding:
        return problem("Claude API", f"{url} refuses the key: invalid x-api-key", fix)

    with pytest.raises(CannotDeployError, match=r"refuses the key: invalid x-api-key\. Create one") as error:
        typed_key("", ask=lambda _: "sk-ant-wrong", tries=refused)
    assert "sk-ant-wrong" not in str(error.value)


def test_return_takes_the_environments_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one in the environment, return means: later."""

    def well(*_: str) -> Finding:
        return ok("Claude API", "accepts the key")

    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-own")
    assert typed_key("", ask=lambda _: "", tries=well) == "sk-ant-own"
    assert typed_key("", ask=lambda _: " sk-ant-typed ", tries=well) == "sk-ant-typed"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert typed_key("", ask=lambda _: "", tries=well) == ""


def test_a_key_goes_into_the_secret(session: Any) -> None:
    """A secret that holds the template's placeholder counts as empty."""
    placeholder = template()["Resources"]["ApiKeySecret"]["Properties"]["SecretString"]
    arn = session.client("secretsmanager").create_secret(Name="key", SecretString=placeholder)["ARN"]
    assert not has_key(session, arn)
    store_key(session, arn, "sk-ant-real")
    assert has_key(session, arn)


def test_destroy_keeps_the_bucket(session: Any) -> None:
    """It holds paid results, and its name blocks the next stack: the message says both."""
    _stack(session, Bucket=BUCKET)
    session.client("s3").put_object(Bucket=HERE.bucket, Key="results/x", Body=b"paid for")
    said = destroy(session, "batchdrop", with_data=False)
    assert f"Kept: bucket {HERE.bucket}." in said
    assert session.client("s3").list_objects_v2(Bucket=HERE.bucket)["KeyCount"] == 1


def test_destroy_of_a_stack_that_never_finished(session: Any) -> None:
    """Nothing but a queue came to be: no bucket, no outputs, no state machine to ask for jobs."""
    _stack(session, Queue={"Type": "AWS::SQS::Queue"})
    assert destroy(session, "batchdrop", with_data=True) == "stack batchdrop is deleted, and nothing of it is left"


def test_destroy_without_a_stack(session: Any) -> None:
    """One line, with what to check."""
    with pytest.raises(CannotDestroyError, match="no stack 'batchdrop'"):
        destroy(session, "batchdrop", with_data=False)


def test_provider_aws_needs_its_workspace_and_no_key(session: Any) -> None:
    """Found before the build; and the secret of a stack that never had one holds no key."""
    with pytest.raises(CannotDeployError, match="WorkspaceId=wrkspc_"):
        checks.refuse_without_workspace({"Provider": "aws"})
    checks.refuse_without_workspace({"Provider": "aws", "WorkspaceId": "wrkspc_1"})
    assert not has_key(session, None)
