"""Templates are read as CloudFormation reads them, and expanded as SAM does, without an account."""

import os
from pathlib import Path

import pytest

from batchdrop.local.expand_template import expand_template
from batchdrop.local.sam_template import read_template


def test_short_forms_become_long_ones(tmp_path: Path) -> None:
    """Each intrinsic function has one form from here on."""
    path = tmp_path / "template.yaml"
    path.write_text("a: !Ref B\nb: !GetAtt C.Arn\nc: !Sub '${D}'\nd: !If [E, !Ref F, 1]\ne: !Condition G\n")
    assert read_template(path) == {
        "a": {"Ref": "B"},
        "b": {"Fn::GetAtt": ["C", "Arn"]},
        "c": {"Fn::Sub": "${D}"},
        "d": {"Fn::If": ["E", {"Ref": "F"}, 1]},
        "e": {"Condition": "G"},
    }


def test_dates_stay_text(tmp_path: Path) -> None:
    """A policy's version stays text, not a date."""
    path = tmp_path / "template.yaml"
    path.write_text("Version: 2012-10-17\n")
    assert read_template(path) == {"Version": "2012-10-17"}


def test_expanded_offline(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a region nor credentials are needed, and a profile that does not exist does no harm."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    expanded = expand_template(template)
    kinds = {resource["Type"] for resource in expanded["Resources"].values()}
    assert {"AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::IAM::Role"} <= kinds
    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless::")]
    assert os.environ["AWS_PROFILE"] == "no-such-profile"
    assert "AWS_DEFAULT_REGION" not in os.environ


def test_definition_is_inlined(template: Path) -> None:
    """The state machine's file is in the expanded template, for cfn-lint to check."""
    job = expand_template(template)["Resources"]["Job"]["Properties"]
    assert job["Definition"]["StartAt"] == "Answer shards"
    assert "CloseJobFunctionArn" in job["DefinitionSubstitutions"]
