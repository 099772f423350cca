"""Roles, on the expanded template: each function may do what its use case does, to what it does it to, no more."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.expanded import everything, plain, statements
from tests.project import FUNCTIONS, template

RESOURCE_OF = {function: function.replace("_", " ").title().replace(" ", "") for function in FUNCTIONS}
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"  # SAM's own: CloudWatch Logs, nothing else
KEY_USER = {"kms:Decrypt", "kms:GenerateDataKey"}

# Everything that each role may do, `SERVICE: resource` by the words of `_short`.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "split_upload": {
        "inbox/*": {"s3:GetObject", "s3:GetObjectVersion"},
        "recipes/*": {"s3:GetObject"},
        "files/*": {"s3:GetObject"},
        "jobs/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "answers/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "bucket": {"s3:ListBucket"},
        "state machine": {"states:StartExecution"},
        "event bus": {"events:PutEvents"},
        "LostEventsQueue": {"sqs:SendMessage"},
    },
    "submit_shard": {
        "jobs/*": {"s3:GetObject"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"},
        "ApiKeySecret": {"secretsmanager:GetSecretValue"},
    },
    "settle_submission": {
        # Query: the job's other Message Batches prove the workspace of an intent that version 0.1.0 wrote.
        "LedgerTable": {
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
        },
        "ApiKeySecret": {"secretsmanager:GetSecretValue"},
    },
    "poll_batch": {
        "jobs/*/manifest.json": {"s3:GetObject"},
        "jobs/*/closing.json": {"s3:GetObject"},
        "results/*/status.html": {"s3:GetObject", "s3:PutObject"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "ApiKeySecret": {"secretsmanager:GetSecretValue"},
    },
    "plan_slices": {
        "jobs/*": {"s3:GetObject"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
    },
    "answer_requests": {
        "jobs/*": {"s3:GetObject", "s3:PutObject"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "ApiKeySecret": {"secretsmanager:GetSecretValue"},
        "SliceQueue": {"sqs:SendMessage"},
        "ShowProgressFunction": {"lambda:InvokeFunction"},
        "state machine": {"states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"},
        "state machine's maps": {"states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"},
    },
    "show_progress": {
        "jobs/*/manifest.json": {"s3:GetObject"},
        "jobs/*/closing.json": {"s3:GetObject"},
        "results/*/status.html": {"s3:GetObject", "s3:PutObject"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:Query"},
    },
    "collect_results": {
        "jobs/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "answers/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "bucket": {"s3:ListBucket"},
        # Query: the tries that live workers left for requests without a line.
        "LedgerTable": {
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:Query",
        },
        "ApiKeySecret": {"secretsmanager:GetSecretValue"},
    },
    "check_pilot": {
        "jobs/*": {"s3:GetObject"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"},
    },
    "show_sample": {
        "jobs/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "results/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"},
        "event bus": {"events:PutEvents"},
    },
    "await_approval": {
        "LedgerTable": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "state machine": {"states:SendTaskSuccess"},
    },
    "close_job": {
        "inbox/*": {"s3:GetObject", "s3:GetObjectVersion"},
        "jobs/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "answers/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "results/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        "bucket": {"s3:ListBucket"},
        "LedgerTable": {"dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"},
        "event bus": {"events:PutEvents"},
    },
    "guard_retention": {"LedgerTable": {"dynamodb:Scan"}, "LostEventsQueue": {"sqs:SendMessage"}},
    "watch_jobs": {"state machine": {"states:ListExecutions"}, "LostEventsQueue": {"sqs:SendMessage"}},
}
# Managed policies that SAM adds beside the logs', with the reason.
MANAGED = {
    "answer_requests": {"arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"},  # its event source
}
WILD_RESOURCES = {"JobStateMachine": "CloudWatch Logs' delivery API knows no resources"}


def _role(resolved: dict[str, Any], function: str) -> dict[str, Any]:
    role: dict[str, Any] = resolved["Resources"][f"{RESOURCE_OF[function]}FunctionRole"]
    return role


def _short(resource: Any) -> str:
    """Return a resource's name in this file's words."""
    if resource == "*":
        return "*"
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    if "Ref" in resource:
        return str(resource["Ref"])
    arn = str(resource["Fn::Sub"]).replace("${AWS::StackName}-${AWS::AccountId}-${AWS::Region}", "BUCKET")
    names = {
        "stateMachine:${AWS::StackName}-job": "state machine",
        "stateMachine:${AWS::StackName}-job/*": "state machine's maps",
        "execution:${AWS::StackName}-job:*": "executions",
        "execution:${AWS::StackName}-job/*": "children",
        "execution:${AWS::StackName}-job/*:*": "children by name",
        "event-bus/default": "event bus",
        ":::BUCKET": "bucket",
    }
    short = next((name for end, name in names.items() if arn.endswith(end)), "")
    return short or arn.partition("BUCKET/")[2] or arn


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _allowed(role: dict[str, Any]) -> dict[str, set[str]]:
    allowed: dict[str, set[str]] = {}
    for statement in statements(role):
        assert statement["Effect"] == "Allow"
        for resource in _listed(statement["Resource"]):
            allowed.setdefault(_short(resource), set()).update(_listed(statement["Action"]))
    return allowed


def test_every_function_is_listed() -> None:
    """A new function gets its list here."""
    assert ALLOWED.keys() == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_exactly_what_is_listed(function: str) -> None:
    """Least privilege, action by action and resource by resource; the ledger's conditions guard money."""
    assert _allowed(_role(plain(), function)) == ALLOWED[function]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_role_of_its_own(function: str) -> None:
    """No function can do what only another one must; beside its own policy there is what SAM adds."""
    role = plain()["Resources"][f"{RESOURCE_OF[function]}Function"]["Properties"]["Role"]["Fn::GetAtt"][0]
    assert role == f"{RESOURCE_OF[function]}FunctionRole"
    managed = set(_role(plain(), function)["Properties"]["ManagedPolicyArns"])
    assert managed == {LOGS} | MANAGED.get(function, set())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_with_a_key_a_function_may_use_that_key(function: str) -> None:
    """Reading takes kms:Decrypt, writing kms:GenerateDataKey too, on that one key; nothing else is new."""
    [key] = {
        json.dumps(one["Resource"]) for one in statements(_role(everything(), function)) if "kms" in str(one["Action"])
    }
    assert key == json.dumps("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    used = [set(one["Action"]) for one in statements(_role(everything(), function)) if "kms" in str(one["Action"])]
    writes = re.search("PutObject|SendMessage", str(ALLOWED[function])) is not None
    assert used == [KEY_USER if writes else {"kms:Decrypt"}]
    rest = [one for one in statements(_role(everything(), function)) if "kms" not in str(one["Action"])]
    assert rest == statements(_role(plain(), function))


def test_no_role_has_wildcards() -> None:
    """No `*` in an action; a resource is `*` only where AWS knows no other, and that is listed with its reason."""
    roles = {name: one for name, one in everything()["Resources"].items() if one["Type"] == "AWS::IAM::Role"}
    assert roles.keys() == {f"{name}FunctionRole" for name in RESOURCE_OF.values()} | {
        "JobStateMachineRole",
        "WebhookRole",
    }
    for name, role in roles.items():
        for statement in statements(role):
            assert not [action for action in _listed(statement["Action"]) if "*" in action], name
            if "*" in _listed(statement["Resource"]):
                assert name.removesuffix("Role") in WILD_RESOURCES, name
                assert {action.partition(":")[0] for action in statement["Action"]} == {"logs"}


def test_only_who_says_its_name_puts_events() -> None:
    """Nobody with these roles can pose as another source on the account's bus."""
    for function in ("split_upload", "close_job"):
        [put] = [one for one in statements(_role(plain(), function)) if one["Action"] == ["events:PutEvents"]]
        assert put["Condition"] == {
            "StringEquals": {"events:source": "batchdrop", "events:detail-type": "Job state changed"}
        }


def test_the_job_may_do_what_its_states_do() -> None:
    """Call its functions, queue slices, read the Map's items, watch its shards, note failures, and log."""
    allowed = _allowed(plain()["Resources"]["JobStateMachineRole"])
    logs = allowed.pop("*")
    called = {f"{RESOURCE_OF[name]}Function" for name in FUNCTIONS} - {
        "AnswerRequestsFunction",
        "GuardRetentionFunction",
        "ShowProgressFunction",
        "WatchJobsFunction",
    }
    assert allowed == {
        **{name: {"lambda:InvokeFunction"} for name in called},
        "SliceQueue": {"sqs:SendMessage"},
        "jobs/*": {"s3:GetObject"},
        "state machine": {"states:StartExecution"},
        "executions": {"states:DescribeExecution", "states:StopExecution"},
        "children": {"states:DescribeExecution", "states:StopExecution"},
        "children by name": {"states:RedriveExecution"},
        "LedgerTable": {"dynamodb:PutItem"},
    }
    assert all(action.startswith("logs:") for action in logs)


def test_who_may_invoke_a_function() -> None:
    """S3 for this account's bucket, and the schedules; nobody else's service."""
    permissions = [
        one["Properties"] for one in plain()["Resources"].values() if one["Type"] == "AWS::Lambda::Permission"
    ]
    by_s3 = [one for one in permissions if one["Principal"] == "s3.amazonaws.com"]
    by_events = [one for one in permissions if one["Principal"] == "events.amazonaws.com"]
    assert len(by_s3) + len(by_events) == len(permissions) == 3
    assert all(one["SourceAccount"] == {"Ref": "AWS::AccountId"} for one in by_s3)
    assert all("Fn::GetAtt" in one["SourceArn"] for one in by_events)


def test_the_template_gives_no_ready_made_role() -> None:
    """Roles are made from the lists that stand beside the functions, not taken from the account."""
    for one in template()["Resources"].values():
        assert "Role" not in one.get("Properties", {})
