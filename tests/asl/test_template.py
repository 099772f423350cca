"""The template, expanded as SAM does and linted as CloudFormation will see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.request import proxy_bypass

import pytest

from batchdrop.bootstrap import PLACEHOLDER_KEY
from tests.expanded import everything, expanded_template, of_type, plain
from tests.project import FUNCTIONS, template
from tools.findings import EVERYTHING

RESOURCE_OF = {function: function.replace("_", " ").title().replace(" ", "") for function in FUNCTIONS}


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    """The whole template in plain CloudFormation, the state machine's definition inlined."""
    return expanded_template()


def _lint(body: dict[str, Any]) -> list[str]:
    from cfnlint.api import ManualArgs, lint

    # cfn-lint's schema of a definition knows the partition `aws` only.
    filled_in = json.dumps(body).replace("${Partition}", "aws")
    matches = lint(filled_in, config=ManualArgs(regions=["us-east-1"]))
    return [f"{match.rule.id} {match.path}: {match.message}" for match in matches]


def test_the_expanded_template_is_clean(expanded: dict[str, Any]) -> None:
    """cfn-lint has neither errors nor warnings, the definition included (E3601)."""
    assert _lint(expanded) == []


@pytest.mark.parametrize("resolved", [plain, everything], ids=["plain", "everything"])
def test_every_choice_of_options_is_clean(resolved: Callable[[], dict[str, Any]]) -> None:
    """Also with each condition decided: no option leads to a template that CloudFormation refuses."""
    assert [line for line in _lint(resolved()) if not line.startswith("W")] == []


def test_the_linter_sees_the_definition(expanded: dict[str, Any]) -> None:
    """A dangling Next in the definition would be found: the lint above is not blind."""
    broken = json.loads(json.dumps(expanded))
    broken["Resources"]["JobStateMachine"]["Properties"]["Definition"]["StartAt"] = "Nowhere"
    assert any(line.startswith("E3601") for line in _lint(broken))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_its_log_group(expanded: dict[str, Any], function: str) -> None:
    """Logs go to a group of the stack, which does not keep them for ever."""
    resources = expanded["Resources"]
    group = f"{RESOURCE_OF[function]}Logs"
    logging = resources[f"{RESOURCE_OF[function]}Function"]["Properties"]["LoggingConfig"]
    assert logging["LogGroup"] == {"Ref": group}
    assert resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_job_has_its_log_group(expanded: dict[str, Any]) -> None:
    """The state machine logs its errors, without rows or states in them."""
    logging = template()["Resources"]["JobStateMachine"]["Properties"]["Logging"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    assert expanded["Resources"]["JobLogs"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def _of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in template()["Resources"].items() if one["Type"] == kind}


def test_functions_that_events_invoke_keep_what_they_could_not_take() -> None:
    """An asynchronous event is lost after its retries, unless it goes to a queue; and only those have events."""
    functions = _of_type("AWS::Serverless::Function")
    by_events = {name for name, function in functions.items() if "Events" in function} - {"AnswerRequestsFunction"}
    assert by_events == {"SplitUploadFunction", "GuardRetentionFunction", "WatchJobsFunction"}
    for name in by_events:
        failed = functions[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert failed == {"Type": "SQS", "Destination": {"Fn::GetAtt": ["LostEventsQueue", "Arn"]}}


def test_buckets_and_tables_survive_the_stack() -> None:
    """Deleting the stack deletes neither files nor facts. A first deploy that fails leaves no bucket in its own way."""
    for name in ("Bucket", "BucketPolicy", "LedgerTable"):
        assert template()["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert template()["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_the_placeholder_key_is_known() -> None:
    """What a fresh stack holds for a key is recognised, so that nobody waits for a 401 to understand it."""
    assert template()["Resources"]["ApiKeySecret"]["Properties"]["SecretString"] == PLACEHOLDER_KEY


def test_the_queue_of_slices_waits_for_its_workers() -> None:
    """A message is shown again only when its worker is dead for certain (tests/asl/test_time_limits.py)."""
    worker = _of_type("AWS::Serverless::Function")["AnswerRequestsFunction"]
    queue = _of_type("AWS::SQS::Queue")["SliceQueue"]
    assert queue["VisibilityTimeout"] >= 2 * worker["Timeout"]
    source = worker["Events"]["Slices"]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "LiveConcurrency"}}


UNTAGGED = {  # CloudFormation gives them no tags, or SAM makes them without; the stack's own tags reach those that can
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::ApiDestination",
    "AWS::Events::Connection",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
SCHEDULES = {"GuardRetentionFunctionDaily", "WatchJobsFunctionHourly"}  # rules that SAM makes, without tags


def test_every_resource_is_tagged() -> None:
    """Whoever pays sees what a resource belongs to."""
    stack = {"Ref": "AWS::StackName"}
    for name, resource in everything()["Resources"].items():
        if resource["Type"] not in UNTAGGED and name not in SCHEDULES:
            found = resource["Properties"].get("Tags", [])
            tags = found if isinstance(found, dict) else {tag["Key"]: tag["Value"] for tag in found}
            assert (tags.get("application"), tags.get("stack")) == ("batchdrop", stack), name


def test_proxy_and_ca_reach_every_function_and_are_absent_without_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty SSL_CERT_FILE would trust nobody. AWS's own hosts are reached directly, or no call of AWS would work."""
    names = {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"}
    for properties in of_type(plain(), "AWS::Lambda::Function").values():
        assert not names & properties["Environment"]["Variables"].keys()
    for properties in of_type(everything(), "AWS::Lambda::Function").values():
        variables = properties["Environment"]["Variables"]
        assert variables["HTTPS_PROXY"] == "http://proxy.example.com:3128"
        assert variables["SSL_CERT_FILE"] == "/opt/ca.pem"
        assert EVERYTHING["CaLayerArn"] in properties["Layers"]
        monkeypatch.setenv("NO_PROXY", variables["NO_PROXY"])
        assert proxy_bypass("s3.eu-central-1.amazonaws.com")
        assert not proxy_bypass("api.anthropic.com")
