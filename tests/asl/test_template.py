"""The template, expanded as SAM does and linted as CloudFormation will see it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.bootstrap import PLACEHOLDER_KEY
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
    assert readers == {"submit_shard", "poll_batch", "collect_results"}


def test_only_a_submission_writes_the_ledger(expanded: dict[str, Any]) -> None:
    """The ledger's conditions guard money; of the functions, one writes it."""
    writers = {function for function in FUNCTIONS if "dynamodb:PutItem" in _allowed(expanded, function)}
    assert writers == {"submit_shard"}


def test_nobody_deletes_objects(expanded: dict[str, Any]) -> None:
    """No function can delete or change what the user dropped."""
    for function in FUNCTIONS:
        assert "s3:DeleteObject" not in _allowed(expanded, function)
        role = expanded["Resources"][f"{RESOURCE_OF[function]}FunctionRole"]
        for statement in _statements(role):
            if "s3:PutObject" in statement["Action"]:
                assert "/inbox/" not in json.dumps(statement["Resource"])
                assert "/recipes/" not in json.dumps(statement["Resource"])


def test_buckets_and_tables_survive_the_stack() -> None:
    """Deleting the stack deletes neither files nor facts."""
    for name in ("Bucket", "LedgerTable"):
        assert template()["Resources"][name]["DeletionPolicy"] == "Retain"


def test_the_placeholder_key_is_known() -> None:
    """What a fresh stack holds for a key is recognised, so that nobody waits for a 401 to understand it."""
    assert template()["Resources"]["ApiKeySecret"]["Properties"]["SecretString"] == PLACEHOLDER_KEY
