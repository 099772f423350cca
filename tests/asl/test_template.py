"""The template, expanded as SAM does and linted as CloudFormation will see it."""

from __future__ import annotations

import json
import re
from typing import Any, get_args, get_type_hints

import pytest

from batchdrop.bootstrap import PLACEHOLDER_KEY
from batchdrop.domain.summary import Summary
from local.expand_template import expand_template
from tests.project import FUNCTIONS, ROOT, template

RESOURCE_OF = {function: function.replace("_", " ").title().replace(" ", "") for function in FUNCTIONS}


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    """The whole template in plain CloudFormation, the state machine's definition inlined."""
    return expand_template(ROOT / "template.yaml")


def _lint(body: dict[str, Any]) -> list[str]:
    from cfnlint.api import ManualArgs, lint

    matches = lint(json.dumps(body), config=ManualArgs(regions=["us-east-1"]))
    return [f"{match.rule.id} {match.path}: {match.message}" for match in matches]


def test_the_expanded_template_is_clean(expanded: dict[str, Any]) -> None:
    """cfn-lint has neither errors nor warnings, the definition included (E3601)."""
    assert _lint(expanded) == []


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


def test_every_function_has_a_role_of_its_own(expanded: dict[str, Any]) -> None:
    """No function can do what only another one must."""
    roles = {
        function: expanded["Resources"][f"{RESOURCE_OF[function]}Function"]["Properties"]["Role"]["Fn::GetAtt"][0]
        for function in FUNCTIONS
    }
    assert len(set(roles.values())) == len(FUNCTIONS)
    assert roles == {function: f"{RESOURCE_OF[function]}FunctionRole" for function in FUNCTIONS}


def _statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        statement
        for policy in role["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_policies_name_actions_and_resources(expanded: dict[str, Any], function: str) -> None:
    """Least privilege: no wildcard action, no wildcard resource."""
    for statement in _statements(expanded["Resources"][f"{RESOURCE_OF[function]}FunctionRole"]):
        assert statement["Resource"] != "*"
        assert not [action for action in statement["Action"] if action.endswith("*")]


def _allowed(expanded: dict[str, Any], function: str) -> set[str]:
    role = expanded["Resources"][f"{RESOURCE_OF[function]}FunctionRole"]
    return {action for statement in _statements(role) for action in statement["Action"]}


def test_only_those_who_ask_read_the_key(expanded: dict[str, Any]) -> None:
    """Splitting and closing a job need no API key and cannot read it."""
    readers = {function for function in FUNCTIONS if "secretsmanager:GetSecretValue" in _allowed(expanded, function)}
    assert readers == {"submit_shard", "settle_submission", "poll_batch", "collect_results", "answer_requests"}


# What each function does to the ledger: `halt` and shared states put, `shard_failures` queries, `begin` puts,
# `accept` puts and updates, `collected` updates.
LEDGER_ACTIONS = {
    "split_upload": set(),
    "submit_shard": {"GetItem", "PutItem", "UpdateItem", "Query"},
    "settle_submission": {"GetItem", "PutItem", "UpdateItem"},
    "poll_batch": {"GetItem", "PutItem"},
    "plan_slices": {"GetItem", "PutItem", "Query"},
    "answer_requests": {"GetItem", "PutItem", "UpdateItem"},
    "collect_results": {"GetItem", "PutItem", "UpdateItem"},
    "show_sample": {"Query", "GetItem", "PutItem"},
    "await_approval": {"GetItem", "PutItem"},
    "close_job": {"Query", "GetItem", "PutItem", "DeleteItem"},
    "guard_retention": {"Scan"},
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_may_do_to_the_ledger_what_it_does(expanded: dict[str, Any], function: str) -> None:
    """The ledger's conditions guard money: no function may do more to it than its use case does, nor less."""
    allowed = {action.removeprefix("dynamodb:") for action in _allowed(expanded, function) if "dynamodb" in action}
    assert allowed == LEDGER_ACTIONS[function]


def _of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in template()["Resources"].items() if one["Type"] == kind}


ALARMS = _of_type("AWS::CloudWatch::Alarm")
AWS_METRICS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    ("AWS/States", "ExecutionsAborted"),
    ("AWS/States", "ExecutionsTimedOut"),
}


def _anchors() -> set[str]:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_leads_to_its_page_of_the_runbook(alarm: str) -> None:
    """Whoever is woken finds what to do: the description names a heading that is there, and the alarm's own name."""
    linked = re.search(r"docs/runbook\.md#([\w-]+)", ALARMS[alarm]["AlarmDescription"])
    assert linked, "no runbook"
    assert linked[1] in _anchors()
    assert ALARMS[alarm]["AlarmName"] == {"Fn::Sub": "${AWS::StackName}-" + linked[1]}


def test_every_page_of_the_runbook_has_its_alarm() -> None:
    """Each alarm that the runbook tells of exists."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    told = {f"${{AWS::StackName}}-{name}" for name in re.findall(r"^`<stack>-([\w-]+)`", text, re.MULTILINE)}
    assert told == {alarm["AlarmName"]["Fn::Sub"] for alarm in ALARMS.values()}


def _emitted() -> set[str]:
    """Return the names of the metrics that the functions count."""
    source = "".join((ROOT / "functions" / name / "app.py").read_text(encoding="utf-8") for name in FUNCTIONS)
    names = set(re.findall(r'add_metric\("(\w+)"', source))
    if 'add_metric(f"Jobs{summary.status.title()}"' in source:
        statuses = get_args(get_type_hints(Summary)["status"])
        names |= {f"Jobs{status.title()}" for status in statuses}
    return names


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_watches_a_metric_that_exists(alarm: str) -> None:
    """A metric that nobody publishes never alarms: it is one of ours, by its dimension, or one of AWS's."""
    watched = ALARMS[alarm]
    if watched["Namespace"] != "batchdrop":
        assert (watched["Namespace"], watched["MetricName"]) in AWS_METRICS
        return
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert watched["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
    assert watched["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]
    assert watched["MetricName"] in _emitted()


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_tells_somebody(alarm: str) -> None:
    """It goes to the topic if there is one; a silent metric is no alarm."""
    assert ALARMS[alarm]["AlarmActions"] == {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], []]}
    assert ALARMS[alarm]["TreatMissingData"] == "notBreaching"
    assert (ALARMS[alarm]["Threshold"], ALARMS[alarm]["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


def test_every_queue_has_its_alarm() -> None:
    """What falls into a queue is seen."""
    watched = {
        dimension["Value"]["Fn::GetAtt"][0]
        for alarm in ALARMS.values()
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "QueueName"
    }
    assert watched == _of_type("AWS::SQS::Queue").keys() - {"SliceQueue"}
    lost = _of_type("AWS::SQS::Queue")["SliceQueue"]["RedrivePolicy"]["deadLetterTargetArn"]
    assert lost == {"Fn::GetAtt": ["LostSlicesQueue", "Arn"]}


def test_functions_that_events_invoke_keep_what_they_could_not_take() -> None:
    """An asynchronous event is lost after its retries, unless it goes to a queue; and only those have events."""
    functions = _of_type("AWS::Serverless::Function")
    by_events = {name for name, function in functions.items() if "Events" in function} - {"AnswerRequestsFunction"}
    assert by_events == {"SplitUploadFunction", "GuardRetentionFunction"}
    for name in by_events:
        failed = functions[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert failed == {"Type": "SQS", "Destination": {"Fn::GetAtt": ["LostEventsQueue", "Arn"]}}


def test_nobody_deletes_objects(expanded: dict[str, Any]) -> None:
    """No function can delete or change what the user dropped."""
    for function in FUNCTIONS:
        assert "s3:DeleteObject" not in _allowed(expanded, function)
        role = expanded["Resources"][f"{RESOURCE_OF[function]}FunctionRole"]
        for statement in _statements(role):
            if "s3:PutObject" in statement["Action"]:
                for prefix in ("/inbox/", "/recipes/", "/files/"):
                    assert prefix not in json.dumps(statement["Resource"])


def test_only_the_split_reads_what_the_user_put_there(expanded: dict[str, Any]) -> None:
    """Uploads, recipes and attached files are read by one function, each by its own prefix."""
    readers: dict[str, set[str]] = {}
    for function in FUNCTIONS:
        for statement in _statements(expanded["Resources"][f"{RESOURCE_OF[function]}FunctionRole"]):
            for prefix in re.findall(r"/(inbox|recipes|files)/\*", json.dumps(statement["Resource"])):
                readers.setdefault(prefix, set()).add(f"{function} {statement['Action']}")
    assert readers == {key: {"split_upload ['s3:GetObject']"} for key in ("inbox", "recipes", "files")}


def test_buckets_and_tables_survive_the_stack() -> None:
    """Deleting the stack deletes neither files nor facts."""
    for name in ("Bucket", "LedgerTable"):
        assert template()["Resources"][name]["DeletionPolicy"] == "Retain"


def test_the_placeholder_key_is_known() -> None:
    """What a fresh stack holds for a key is recognised, so that nobody waits for a 401 to understand it."""
    assert template()["Resources"]["ApiKeySecret"]["Properties"]["SecretString"] == PLACEHOLDER_KEY


def test_the_queue_of_slices_waits_for_its_workers() -> None:
    """A message is shown again only when its worker is dead for certain: six times its timeout, as AWS advises."""
    worker = _of_type("AWS::Serverless::Function")["AnswerRequestsFunction"]
    queue = _of_type("AWS::SQS::Queue")["SliceQueue"]
    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"]
    source = worker["Events"]["Slices"]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "LiveConcurrency"}}
