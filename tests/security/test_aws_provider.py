"""Provider aws: no secret in the stack, and each role has the actions that its function calls, on the workspace."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from batchdrop import bootstrap
from batchdrop.errors import AccountTrouble, SubmissionUncertain
from batchdrop.local.claude_api.aws_auth import ACTIONS, SERVICE
from tests.callers import WORKSPACE
from tests.expanded import expanded_template, of_type, on_aws, plain, statements
from tests.functions.handled_job import DAY, JOB, split, submitted, whole_job
from tests.functions.lambdas import STATE, Functions, use_aws
from tests.project import FUNCTIONS
from tests.security.test_roles import ALLOWED, _allowed, _role

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # an error comes before they are counted
ARN = f"arn:${{AWS::Partition}}:{SERVICE}:${{AWS::Region}}:${{AWS::AccountId}}:workspace/${{WorkspaceId}}"
NEEDED = {
    "submit_shard": {"CreateBatchInference", "CancelBatchInference"},
    "settle_submission": {"ListBatchInferences", "GetBatchInference"},
    "poll_batch": {"GetBatchInference", "CancelBatchInference"},
    "answer_requests": {"CreateInference"},
    "collect_results": {"GetBatchInference"},
}


def test_the_stack_has_no_secret() -> None:
    """No secret, no output and no variable that names one, and no permission to read one."""
    assert of_type(on_aws(), "AWS::SecretsManager::Secret") == {}
    assert "ApiKeySecretArn" not in on_aws()["Outputs"]
    for properties in of_type(on_aws(), "AWS::Lambda::Function").values():
        variables = properties["Environment"]["Variables"]
        assert "API_KEY_SECRET_ARN" not in variables
        assert (variables["CLAUDE_PROVIDER"], variables["ANTHROPIC_WORKSPACE_ID"]) == ("aws", "wrkspc_01test")
    assert "secretsmanager" not in json.dumps(of_type(on_aws(), "AWS::IAM::Role"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_has_its_actions_on_the_workspace(function: str) -> None:
    """Instead of the secret's permission; every other permission is as before."""
    expected = {name: actions for name, actions in ALLOWED[function].items() if name != "ApiKeySecret"}
    if function in NEEDED:
        expected[ARN] = {f"{SERVICE}:{action}" for action in NEEDED[function]}
    assert _allowed(_role(on_aws(), function)) == expected
    assert (function in NEEDED) == ("ApiKeySecret" in ALLOWED[function])


def test_a_stack_with_a_key_may_sign_nothing() -> None:
    """The other way round."""
    assert SERVICE not in json.dumps([statements(role) for role in _roles()])


def _roles() -> list[Any]:
    return [one for one in plain()["Resources"].values() if one["Type"] == "AWS::IAM::Role"]


def test_a_stack_on_aws_needs_its_workspace() -> None:
    """CloudFormation refuses it before anything is made, and says what is missing."""
    rule = expanded_template()["Rules"]["AwsNeedsWorkspace"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Provider"}, "aws"]}
    [assertion] = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "WorkspaceId"}, ""]}]}
    assert "needs WorkspaceId" in assertion["AssertDescription"]


class Guarded(Functions):
    """Functions whose calls are allowed by their roles only. `used` has the actions that each one called."""

    used: dict[str, set[str]]

    def invoke(self, function: str, given: dict[str, Any], *, remaining: int = 900_000) -> dict[str, Any]:
        """Invoke a function under its role."""
        emulator = self.cloud.emulator
        emulator.settings(aws_denied_actions=sorted(set(ACTIONS.values()) - NEEDED.get(function, set())))
        before = len(emulator.calls())
        try:
            return super().invoke(function, given, remaining=remaining)
        finally:
            called = {ACTIONS[call["endpoint"]] for call in emulator.calls()[before:]}
            self.used.setdefault(function, set()).update(called)


@pytest.fixture
def guarded(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """The functions on AWS, under their roles."""
    use_aws(functions.cloud.emulator)
    made = Guarded(functions.cloud, monkeypatch)
    made.used = {}
    yield made
    assert not any("AccessDenied" in json.dumps(line) for line in made.log)


def _lost_create(guarded: Guarded) -> None:
    """Lose a create's answer and settle it."""
    guarded.cloud.emulator.inject("accept_then_drop", "batches.create")
    with pytest.raises(SubmissionUncertain):
        submitted(guarded)
    guarded.cloud.emulator.advance(DAY)
    assert guarded.invoke("settle_submission", {**STATE, "looks": 0})["batch_id"]


def test_a_whole_job_needs_what_the_roles_allow(guarded: Guarded) -> None:
    """From the split to the output, with a lost create, without a denied call, and without a key."""
    split(guarded)
    _lost_create(guarded)
    assert whole_job(guarded)
    assert guarded.used["settle_submission"] == NEEDED["settle_submission"]
    assert guarded.used["collect_results"] == NEEDED["collect_results"]
    assert guarded.used["submit_shard"] >= {"CreateBatchInference"}
    assert bootstrap.ledger().submission(JOB, 0, 0).workspace == WORKSPACE  # type: ignore[union-attr]  # it was sent


def test_a_canceled_job_may_cancel(guarded: Guarded) -> None:
    """A poll cancels the Message Batch of a job that was canceled."""
    split(guarded)
    state = submitted(guarded)
    with contextlib.suppress(AccountTrouble):
        bootstrap.ledger().halt(JOB, _canceled())
    guarded.invoke("poll_batch", state)
    assert guarded.used["poll_batch"] == NEEDED["poll_batch"]


def _canceled() -> Any:
    from datetime import UTC, datetime

    from batchdrop.job.submission import Halt

    return Halt("JobCanceled", "by its user", datetime.now(UTC))


@pytest.mark.parametrize("function", ["submit_shard", "poll_batch", "collect_results"])
def test_a_denied_action_halts_the_job(functions: Functions, function: str) -> None:
    """It is account trouble: no row fails, and the same step works when the policy allows it."""
    use_aws(functions.cloud.emulator)
    split(functions)
    state = {**STATE, "requests": 2, "shards": 2}
    if function != "submit_shard":
        state = submitted(functions)
        functions.cloud.emulator.advance(DAY)
        state = {**state, "ended": True}
    functions.cloud.emulator.settings(aws_denied_actions=sorted(NEEDED[function]))
    with pytest.raises(AccountTrouble, match="is not authorized to perform"):
        functions.invoke(function, state)
    assert "AccessDeniedException" in bootstrap.ledger().halted(JOB).reason  # type: ignore[union-attr]  # it is halted
    bootstrap.ledger().lift(JOB)
    functions.cloud.emulator.settings(aws_denied_actions=[])
    assert functions.invoke(function, state)
