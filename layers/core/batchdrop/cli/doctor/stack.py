"""Check the credentials, the state of the stack, and whether it matches this checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.doctor.findings import Finding, Level, ok, problem, warning
from batchdrop.local.package import add_local_files
from batchdrop.local.sam_template import computed_alarms, read_template, template_of_text

# The deployment itself sets where code is; the embedded stack has another runtime, and fewer workers.
_OF_THE_DEPLOYMENT = {"CodeUri", "ContentUri", "DefinitionUri", "Metadata", "Runtime", "ScalingConfig"}
MOST_NAMED = 5  # differences to name; the others are counted


def credentials(deployment: Deployment) -> Iterator[Finding]:
    """Show the AWS identity in use."""
    caller = deployment.client("sts").get_caller_identity()
    yield ok("credentials", f"account {caller['Account']}, {caller['Arn']}")


def stack_state(deployment: Deployment) -> Iterator[Finding]:
    """Report the stack's status in CloudFormation."""
    status: str = deployment.described["StackStatus"]
    reason = deployment.described.get("StackStatusReason", "")
    says = f"{deployment.name} is {status}" + (f": {reason}" if reason else "")
    if status.endswith("_IN_PROGRESS"):
        yield warning("stack", says, "wait until it is done")
    elif status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        yield ok("stack", says)
    elif status == "UPDATE_ROLLBACK_COMPLETE":
        yield warning(
            "stack", says, "the last deploy was rolled back; see why in the stack's events, then `make deploy` again"
        )
    else:
        yield problem("stack", says, "see the stack's events, fix what they name, then `make deploy`")


def template_drift(deployment: Deployment, project: Path) -> Iterator[Finding]:
    """Compare the deployed template with the checkout's, except for the location of code."""
    body = deployment.client("cloudformation").get_template(StackName=deployment.stack, TemplateStage="Original")
    deployed = body["TemplateBody"]
    template = template_of_text(deployed) if isinstance(deployed, str) else deployed
    checkout = read_template(project / "template.yaml")
    if deployment.is_embedded:
        for name in computed_alarms(checkout):
            del checkout["Resources"][name]
        add_local_files(checkout)
    changed = differences(template, checkout)
    if not changed:
        yield ok("template", "same as in this checkout (code is not compared)")
        return
    more = len(changed) - MOST_NAMED
    named = ", ".join(changed[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    fix = "`make deploy` updates the stack to this checkout; or check out the deployed version"
    yield warning("template", f"the stack differs from this checkout in {named}", fix)


def differences(deployed: dict[str, Any], checkout: dict[str, Any]) -> list[str]:
    """Return the differences between two templates, such as `Resources.Bucket` or `Parameters.LiveRows`."""
    changed = []
    for section in ("Parameters", "Conditions", "Globals", "Resources", "Outputs"):
        ours, theirs = checkout.get(section, {}), deployed.get(section, {})
        changed += [
            f"{section}.{name}"
            for name in sorted({*ours, *theirs})
            if _comparable(ours.get(name)) != _comparable(theirs.get(name))
        ]
    return changed


def _comparable(value: Any) -> Any:
    """Return the value without what each deployment sets; CloudFormation treats texts and numbers alike."""
    match value:
        case {"Fn::GetAtt": str() as whole}:
            return {"Fn::GetAtt": whole.split(".", 1)}
        case dict():
            return {name: _comparable(one) for name, one in value.items() if name not in _OF_THE_DEPLOYMENT}
        case list():
            return [_comparable(one) for one in value]
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:g}"
        case _:
            return value


def parameters(deployment: Deployment) -> dict[str, str]:
    """Return the stack's parameters."""
    found = deployment.described.get("Parameters", [])
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in found}


def is_well(findings: list[Finding]) -> bool:
    """Return whether no finding is a problem."""
    return all(one.level is not Level.PROBLEM for one in findings)
