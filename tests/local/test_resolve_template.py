"""Conditions are decided as CloudFormation decides them."""

from __future__ import annotations

from typing import Any

import pytest

from batchdrop.local.resolve_template import resolve_template

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Key": {"Default": ""}, "Days": {"Default": 0}},
    "Conditions": {
        "HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Key"}, ""]}]},
        "HasDays": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Days"}, "0"]}]},
        "Both": {"Fn::And": [{"Condition": "HasKey"}, {"Condition": "HasDays"}]},
        "Either": {"Fn::Or": [{"Condition": "HasKey"}, {"Condition": "HasDays"}]},
    },
    "Resources": {
        "Always": {"Properties": {"Key": {"Fn::If": ["HasKey", {"Ref": "Key"}, {"Ref": "AWS::NoValue"}]}}},
        "Both": {"Condition": "Both", "Properties": {"Days": {"Ref": "Days"}, "Stack": {"Ref": "AWS::StackName"}}},
        "Either": {
            "Condition": "Either",
            "Properties": {"List": [1, {"Fn::If": ["HasKey", 2, {"Ref": "AWS::NoValue"}]}]},
        },
    },
    "Outputs": {"Key": {"Condition": "HasKey", "Value": {"Ref": "Key"}}},
}


@pytest.mark.parametrize(
    ("parameters", "resources"),
    [
        ({}, {"Always": {}}),
        ({"Key": "k"}, {"Always": {"Key": "k"}, "Either": {"List": [1, 2]}}),
        ({"Days": 3}, {"Always": {}, "Either": {"List": [1]}}),
        (
            {"Key": "k", "Days": "3"},
            {
                "Always": {"Key": "k"},
                "Both": {"Days": "3", "Stack": {"Ref": "AWS::StackName"}},
                "Either": {"List": [1, 2]},
            },
        ),
    ],
    ids=["neither", "key", "days", "both"],
)
def test_what_is_there(parameters: dict[str, Any], resources: dict[str, Any]) -> None:
    """Resources, values and list members come and go with their conditions; parameters have their values."""
    resolved = resolve_template(TEMPLATE, parameters)
    assert {name: one["Properties"] for name, one in resolved["Resources"].items()} == resources
    assert list(resolved["Outputs"]) == (["Key"] if "Key" in parameters else [])
    assert not {"Conditions", "Parameters"} & resolved.keys()


def test_unknown_functions_are_reported() -> None:
    """Rather than deciding wrongly."""
    template = {**TEMPLATE, "Conditions": {**TEMPLATE["Conditions"], "HasKey": {"Fn::Contains": [[], ""]}}}
    with pytest.raises(ValueError, match="Fn::Contains"):
        resolve_template(template)
