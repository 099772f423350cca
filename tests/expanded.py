"""What CloudFormation gets for template.yaml, as tests read it. Expanding takes seconds, so it is done once."""

from __future__ import annotations

from functools import cache
from typing import Any

from batchdrop.local.expand_template import expand_template
from batchdrop.local.resolve_template import resolve_template
from tests.project import ROOT
from tools.findings import EVERYTHING, ON_AWS


@cache
def expanded_template() -> dict[str, Any]:
    """Return the whole template in plain CloudFormation, conditions still in it."""
    return expand_template(ROOT / "template.yaml")


@cache
def plain() -> dict[str, Any]:
    """Return what is there when no parameter is given."""
    return resolve_template(expanded_template())


@cache
def everything() -> dict[str, Any]:
    """Return what is there when every option is on."""
    return resolve_template(expanded_template(), EVERYTHING)


@cache
def on_aws() -> dict[str, Any]:
    """Return what is there when the provider is Claude Platform on AWS."""
    return resolve_template(expanded_template(), ON_AWS)


def of_type(resolved: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of a type, by logical id."""
    return {name: one["Properties"] for name, one in resolved["Resources"].items() if one["Type"] == kind}


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of a role's own policies."""
    return [
        statement
        for policy in role["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]
