"""What must be right before anything is built: the stack's name, the account, the region, the quotas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from batchdrop.settings import LIVE_CONCURRENCY

LONGEST_BUCKET = 63
NAME = re.compile(r"[a-z][a-z0-9-]*")
NEVER_FINISHED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS"}
NOT_FOUND = {"404", "NoSuchBucket", "NotFound"}
FUNCTIONS_BESIDE_THE_LANE = 10


class CannotDeployError(Exception):
    """Nothing was built; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to deploy: a stack's name, in a region of an account."""

    stack: str
    region: str
    account: str

    @property
    def bucket(self) -> str:
        """Return the name that the template gives the bucket."""
        return f"{self.stack}-{self.account}-{self.region}"


def refuse_bad_name(stack: str) -> None:
    """Raise CannotDeployError for a name that S3 or CloudFormation refuses after the build."""
    if not NAME.fullmatch(stack):
        message = (
            f"the stack's name '{stack}' cannot begin the bucket's name: use lower-case letters, digits and hyphens, "
            "with a letter first"
        )
        raise CannotDeployError(message)


def parameters_of(given: Iterable[str], known: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of `NAME=VALUE` texts by name. Raises CannotDeployError for what the template does not take."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            message = f"'{text}' sets nothing: write NAME=VALUE"
            raise CannotDeployError(message)
        if name not in known:
            near = get_close_matches(name, known, n=1)
            message = f"the template has no parameter '{name}'" + (f"; did you mean {near[0]}?" if near else "")
            raise CannotDeployError(message)
        allowed = [str(one) for one in known[name].get("AllowedValues", [])]
        if allowed and value not in allowed:
            message = f"{name} takes {', '.join(allowed)}, not '{value}'"
            raise CannotDeployError(message)
        found[name] = value
    return found


def refuse_without_workspace(parameters: Mapping[str, str]) -> None:
    """Raise CannotDeployError for provider aws without its workspace, which CloudFormation refuses after the build."""
    if not parameters.get("WorkspaceId"):
        message = 'Provider aws needs a workspace: SET="Provider=aws WorkspaceId=wrkspc_…" (docs/aws.md)'
        raise CannotDeployError(message)


def target_of(session: Any, stack: str, region: str) -> Target:
    """Return the target in the account of the credentials. Raises CannotDeployError."""
    refuse_bad_name(stack)
    try:
        account = session.client("sts", region_name=region).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        message = (
            f"AWS does not accept your credentials in {region} ({error}). Set them up with `aws configure` or "
            "`aws sso login`, or name a profile in AWS_PROFILE"
        )
        raise CannotDeployError(message) from error
    target = Target(stack, region, account)
    if (excess := len(target.bucket) - LONGEST_BUCKET) > 0:
        message = (
            f"the bucket {target.bucket} would have {len(target.bucket)} characters, and S3 takes {LONGEST_BUCKET}: "
            f"choose a stack's name that is {excess} shorter than '{stack}'"
        )
        raise CannotDeployError(message)
    return target


def status_of(session: Any, target: Target) -> str | None:
    """Return the stack's status in CloudFormation; None if there is no such stack."""
    try:
        [found] = session.client("cloudformation").describe_stacks(StackName=target.stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return str(found["StackStatus"])


def refuse_stack_in_the_way(session: Any, target: Target) -> bool:
    """Return whether the stack exists. Raises CannotDeployError if a deploy to it must fail."""
    status = status_of(session, target)
    if status in NEVER_FINISHED:
        message = (
            f"stack {target.stack} is {status}: it never finished. Delete it with `make destroy`, then deploy again"
        )
        raise CannotDeployError(message)
    if status is not None and status.endswith("_IN_PROGRESS"):
        message = f"stack {target.stack} is {status}: wait until that is done, then deploy again"
        raise CannotDeployError(message)
    if status is None and _bucket_exists(session, target):
        message = (
            f"the bucket {target.bucket} exists, but its stack does not: choose another name for "
            f"the stack, or look into the bucket and delete it: aws s3 rb s3://{target.bucket} --force"
        )
        raise CannotDeployError(message)
    return status is not None


def _bucket_exists(session: Any, target: Target) -> bool:
    try:
        session.client("s3").head_bucket(Bucket=target.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND:
            return False
        message = f"the bucket's name {target.bucket} is taken by another account: choose another name for the stack"
        raise CannotDeployError(message) from error
    return True


def warnings(session: Any, parameters: dict[str, str]) -> Iterator[str]:
    """Yield what will work, but slowly."""
    try:
        limit = session.client("lambda").get_account_settings()["AccountLimit"]
    except (BotoCoreError, ClientError):
        return  # not allowed to see it: `batchdrop doctor` says so
    free = int(limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"]))
    wanted = int(parameters.get("LiveConcurrency", LIVE_CONCURRENCY)) + FUNCTIONS_BESIDE_THE_LANE
    if free < wanted:
        yield (
            f"the account runs {free} functions at a time, and a busy stack wants {wanted}: jobs work, but slower. Ask "
            "for more in Service Quotas ('Concurrent executions', free), or deploy with a lower LiveConcurrency"
        )
