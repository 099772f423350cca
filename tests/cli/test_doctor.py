"""What `doctor` finds on AWS's services, well and ill; what it cannot look at it says, and goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from batchdrop.bootstrap import PLACEHOLDER_KEY
from batchdrop.cli.console import CommandOutput
from batchdrop.cli.deployment import Deployment, NotDeployedError
from batchdrop.cli.doctor import machine, service, services, smoke, stack
from batchdrop.cli.doctor.examination import examined
from batchdrop.cli.doctor.findings import Finding, Level, looked
from batchdrop.cli.job.jobs import Job, find_job
from batchdrop.cli.main import app
from batchdrop.local.claude_api.testing import running_emulator
from batchdrop.local.package import add_local_files
from batchdrop.local.sam_template import computed_alarms, read_template, template_of_text
from tests.aws import client
from tests.cli.deployed import BUCKET, Deployed, upload_of
from tests.jobs import JOB
from tests.project import ROOT


def one(findings: Any) -> Finding:
    """The only finding."""
    (found,) = findings
    assert isinstance(found, Finding)
    return found


def answering(deployment: Deployment, **answers: Any) -> Deployment:
    """The deployment, with a client that gives these answers for every service."""
    fake = SimpleNamespace(**{name: lambda _answer=answer, **_asked: _answer for name, answer in answers.items()})
    return replace(deployment, client=lambda _service: fake)


def test_all_of_it_on_aws(deployed: Deployed) -> None:
    """Each check has its line, also those that moto has no answer to; warnings do not change the exit code."""
    result = CliRunner().invoke(app, ["doctor", "--stack", "batchdrop", "--json"])
    told = json.loads(result.stdout)
    levels = {found["what"]: found["level"] for found in told["findings"]}
    assert levels["credentials"] == "ok"
    assert levels["stack"] == "ok"
    assert levels["Lambda"] == levels["Step Functions"] == "cannot be checked here"
    assert levels["template"] == "warning"  # the test's template is a small one
    assert levels["notification"] == "problem"
    assert (told["well"], result.exit_code) == (False, 1)


def test_no_stack() -> None:
    """A new user has no stack: that is not a problem, unless the command names one."""

    def find() -> Deployment:
        message = "no stack"
        raise NotDeployedError(message)

    for is_named, level in ((False, Level.WARNING), (True, Level.PROBLEM)):
        found = [found for found in examined(find, ROOT, is_named=is_named) if found.what == "stack"]
        assert [one.level for one in found] == [level]
        assert "make deploy" in found[0].fix


@pytest.mark.parametrize("key", ["", PLACEHOLDER_KEY])
def test_no_key_yet(deployed: Deployed, key: str) -> None:
    """The command that puts one in is told."""
    found = one(service.api_key(answering(deployed.found(), get_secret_value={"SecretString": key})))
    assert found.level is Level.PROBLEM
    assert found.fix.startswith("aws secretsmanager put-secret-value --secret-id arn:")


def test_a_key_is_tried_at_no_cost(deployed: Deployed) -> None:
    """The API takes it, or does not; nobody is billed, and no key is shown."""
    with running_emulator(accepted_keys=["sk-ant-good"]) as claude:
        parameters = [{"ParameterKey": "AnthropicBaseUrl", "ParameterValue": claude.base_url}]
        deployment = replace(deployed.found(), described={"Parameters": parameters})
        for key, level in (("sk-ant-good", Level.OK), ("sk-ant-bad", Level.PROBLEM)):
            there, answer = service.api_key(answering(deployment, get_secret_value={"SecretString": key}))
            assert (there.level, answer.level) == (Level.OK, level)
            assert key not in there.says + answer.says + answer.fix
        assert claude.bill() == []


def test_an_api_out_of_reach_is_a_warning(deployed: Deployed) -> None:
    """The stack may reach what this machine cannot."""
    parameters = [{"ParameterKey": "AnthropicBaseUrl", "ParameterValue": "http://127.0.0.1:9"}]
    deployment = replace(deployed.found(), described={"Parameters": parameters})
    _, answer = service.api_key(answering(deployment, get_secret_value={"SecretString": "sk"}))
    assert answer.level is Level.WARNING


@pytest.mark.parametrize(("free", "level"), [(1_000, Level.OK), (10, Level.WARNING)])
def test_lambda_quota(deployed: Deployed, free: int, level: Level) -> None:
    """A new account may run ten functions at a time: 10 workers, 40 shards and some spare do not fit."""
    limit = {"AccountLimit": {"ConcurrentExecutions": 1_000, "UnreservedConcurrentExecutions": free}}
    found = one(services.lambda_quota(answering(deployed.found(), get_account_settings=limit)))
    assert (found.level, "may want 60" in found.says) == (level, True)


@pytest.mark.parametrize(
    ("quotas", "level"),
    [
        ([{"QuotaName": "Open executions", "Value": 1_000_000}], Level.OK),
        ([{"QuotaName": "Open executions", "Value": 50}], Level.WARNING),
        ([], Level.OK),
    ],
)
def test_step_functions_quota(deployed: Deployed, quotas: list[Any], level: Level) -> None:
    """A job opens an execution for each shard."""
    pages = SimpleNamespace(paginate=lambda **_service: [{"Quotas": quotas}])
    fake = SimpleNamespace(get_paginator=lambda _name: pages)
    deployment = replace(deployed.found(), client=lambda _service: fake)
    assert one(services.step_functions_quota(deployment)).level is level


def test_bucket(deployed: Deployed) -> None:
    """Without notification nothing starts; without a lifecycle rule broken uploads stay."""
    deployment = deployed.found()
    assert one(services.bucket_notification(deployment)).level is Level.PROBLEM
    assert one(services.bucket_lifecycle(deployment)).level is Level.WARNING
    rule = {
        "ID": "r",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
    }
    client("s3").put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    assert one(services.bucket_lifecycle(deployment)).level is Level.OK
    told = answering(deployment, get_bucket_notification_configuration={"LambdaFunctionConfigurations": [{}]})
    assert one(services.bucket_notification(told)).level is Level.OK


def test_lost_messages(deployed: Deployed) -> None:
    """The queue that holds some is named, with its page of the runbook."""
    sqs = client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="LostSlicesQueue")["QueueUrl"], MessageBody="x")
    events, slices = services.lost_messages(deployed.found())
    assert (events.level, slices.level) == (Level.OK, Level.PROBLEM)
    assert "#lost-slices" in slices.fix


def test_alarms(deployed: Deployed) -> None:
    """None at all is worth a word; one that is on is a problem."""
    assert one(services.alarms(deployed.found())).level is Level.WARNING
    alarm: dict[str, Any] = {
        "AlarmName": "batchdrop-failed-jobs",
        "AlarmDescription": "A job ended red.",
        "MetricName": "m",
        "Namespace": "n",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Statistic": "Sum",
    }
    client("cloudwatch").put_metric_alarm(**alarm)
    assert one(services.alarms(deployed.found())).level is Level.OK
    client("cloudwatch").set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="r")
    found = one(services.alarms(deployed.found()))
    assert (found.level, found.says) == (Level.PROBLEM, "batchdrop-failed-jobs: A job ended red.")


@pytest.mark.parametrize(
    ("status", "level"),
    [
        ("CREATE_COMPLETE", Level.OK),
        ("UPDATE_COMPLETE", Level.OK),
        ("UPDATE_IN_PROGRESS", Level.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", Level.WARNING),
        ("ROLLBACK_COMPLETE", Level.PROBLEM),
        ("DELETE_FAILED", Level.PROBLEM),
    ],
)
def test_stack_state(deployed: Deployed, status: str, level: Level) -> None:
    """Each of CloudFormation's words."""
    deployment = replace(deployed.found(), described={"StackStatus": status, "StackStatusReason": "because"})
    found = one(stack.stack_state(deployment))
    assert (found.level, "because" in found.says) == (level, True)


def test_drift() -> None:
    """The location of code and the style of a template are not drift; everything else is named."""
    checkout = read_template(ROOT / "template.yaml")
    deployed_one = template_of_text(json.dumps(checkout))
    function = deployed_one["Resources"]["PollBatchFunction"]
    function["Properties"]["CodeUri"] = "s3://somewhere/else"
    function["Metadata"] = {"SamResourceId": "PollBatchFunction"}
    deployed_one["Parameters"]["LiveRows"]["Default"] = "200"
    deployed_one["Outputs"]["ByHand"] = {"Value": {"Fn::GetAtt": "LedgerTable.Arn"}}
    assert stack.differences(deployed_one, checkout) == ["Outputs.ByHand"]
    checkout["Outputs"]["ByHand"] = {"Value": {"Fn::GetAtt": ["LedgerTable", "Arn"]}}
    function["Properties"]["Timeout"] = 1
    del deployed_one["Resources"]["FailedJobsAlarm"]
    assert stack.differences(deployed_one, checkout) == ["Resources.FailedJobsAlarm", "Resources.PollBatchFunction"]


def test_what_may_not_be_looked_at(deployed: Deployed) -> None:
    """A permission that is missing, and a check that breaks, are said, and hide nothing else."""

    def forbidden() -> list[Finding]:
        error = client("s3").exceptions.ClientError
        raise error({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetSecretValue")

    def broken() -> list[Finding]:
        missing = "Quotas"
        raise KeyError(missing)

    assert "may not call GetSecretValue" in one(looked("key", forbidden)).says
    assert one(looked("quota", broken)).level is Level.UNKNOWN


def test_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, uv, disk and ports, each with what to do."""
    assert {found.what for found in machine.machine_checks(tmp_path)} >= {"python", "uv", "disk", "ports"}
    monkeypatch.setenv("PATH", "")
    found = {found.what: found for found in machine.machine_checks(tmp_path)}
    assert (found["uv"].level, "make setup" in found["uv"].fix) == (Level.WARNING, True)
    (tmp_path / ".tools" / "uv" / "bin").mkdir(parents=True)
    (tmp_path / ".tools" / "uv" / "bin" / "uv").touch()
    assert next(found for found in machine.machine_checks(tmp_path) if found.what == "uv").level is Level.OK


@pytest.mark.parametrize(("endpoint", "level"), [(None, Level.WARNING), ("http://127.0.0.1:9", Level.OK)])
def test_alarms_that_the_embedded_stack_leaves_out(deployed: Deployed, endpoint: str | None, level: Level) -> None:
    """On AWS they are missed; on this machine they are not, for its CloudWatch cannot reckon with several metrics."""
    embedded = read_template(ROOT / "template.yaml")
    for name in computed_alarms(embedded):
        del embedded["Resources"][name]
    if endpoint:
        add_local_files(embedded)
    there = replace(answering(deployed.found(), get_template={"TemplateBody": embedded}), endpoint_url=endpoint)
    assert one(stack.template_drift(there, ROOT)).level == level


def test_smoke_stops_at_the_lane_that_fails(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key shows in the live lane within seconds; no Message Batch is made for it."""
    dropped: list[str] = []

    def starts(_deployment: Deployment, key: str, _known: set[str]) -> Job:
        dropped.append(key)
        deployed.start(upload_of(key=key), "FAILED", error="JobFailed", cause="AccountTrouble: invalid x-api-key")
        return find_job(deployed.found(), JOB)

    monkeypatch.setattr(smoke, "await_job", starts)
    [found] = smoke.smoke(deployed.found(), CommandOutput(json=True))
    assert (found.what, found.level) == ("live lane", Level.PROBLEM)
    assert found.says == f"the smoke job {JOB} failed: AccountTrouble: invalid x-api-key"
    assert found.fix == f"`batchdrop show {JOB} --stack batchdrop --region us-east-1` shows its story"
    assert dropped == ["inbox/batchdrop-smoke-live/smoke.csv"]
