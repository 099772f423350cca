"""All checks, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from batchdrop.cli.bucket import side_by_side
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
    """Look at this machine, and at the deployment that `find` finds.

    None found is a problem only if the command names one (`is_named`): a new user has none.
    """
    findings = list(machine_checks(project))
    try:
        deployment = find()
    except NotDeployedError as error:
        told = problem if is_named else warning
        fix = "`make deploy` puts one into your AWS account; `batchdrop up` runs one on this machine"
        return [*findings, told("stack", str(error), fix)]
    checks: list[tuple[str, Check]] = [(what, partial(check, deployment)) for what, check in _OF_A_STACK]
    checks.insert(2, ("template", partial(stack.template_drift, deployment, project)))
    for found in side_by_side(lambda one: looked(*one), checks):
        findings += found
    return findings
