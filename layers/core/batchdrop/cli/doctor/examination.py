"""All checks, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from batchdrop.cli.bucket import concurrently
from batchdrop.cli.deployment import Deployment, NotDeployedError
from batchdrop.cli.doctor import service, services, stack
from batchdrop.cli.doctor.findings import Check, Finding, looked, problem, warning
from batchdrop.cli.doctor.machine import machine_checks

_OF_A_STACK: tuple[tuple[str, Callable[[Deployment], Iterable[Finding]]], ...] = (
    ("credentials", stack.credentials),
    ("stack", stack.stack_state),
    ("API key", service.api_key),
    ("Lambda", services.lambda_quota),
    ("Step Functions", services.step_functions_quota),
    ("notification", services.bucket_notification),
    ("lifecycle", services.bucket_lifecycle),
    ("lost messages", services.lost_messages),
    ("alarms", services.alarms),
)


def examined(find: Callable[[], Deployment], project: Path, *, is_named: bool) -> list[Finding]:
    """Check this machine, and the deployment that `find` returns.

    A missing deployment is a problem only if the command names one (`is_named`): a new user has none.
    """
    findings = list(machine_checks(project))
    try:
        deployment = find()
    except NotDeployedError as error:
        finding = problem if is_named else warning
        fix = "`make deploy` deploys one to your AWS account; `batchdrop up` runs one on this machine"
        return [*findings, finding("stack", str(error), fix)]
    checks: list[tuple[str, Check]] = [(what, partial(check, deployment)) for what, check in _OF_A_STACK]
    checks.insert(2, ("template", partial(stack.template_drift, deployment, project)))
    for found in concurrently(lambda one: looked(*one), checks):
        findings += found
    return findings
