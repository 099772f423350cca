"""The webhook: absent and free without its parameter, and closed to everyone else with it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.expanded import everything, of_type, plain
from tests.project import template
from tools.findings import EVERYTHING

KINDS = ("AWS::Events::Connection", "AWS::Events::ApiDestination")


def _one(kind: str) -> dict[str, Any]:
    [found] = of_type(everything(), kind).values()
    return found


def test_it_is_off_by_default() -> None:
    """Without the parameter, nothing of it exists, and so nothing of it costs anything."""
    assert template()["Parameters"]["NotifyWebhook"]["Default"] == ""
    assert not [name for name in plain()["Resources"] if name.startswith("Webhook")]
    assert len([name for name in everything()["Resources"] if name.startswith("Webhook")]) == 5


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("", True),
        ("https://hooks.slack.com/services/T0/B0/x", True),
        ("http://hooks.slack.com/services/T0/B0/x", False),
        ("hooks.slack.com", False),
        ("https://a b", False),
    ],
)
def test_only_https_is_allowed(url: str, is_allowed: bool) -> None:  # noqa: FBT001 - a test's parameter
    """EventBridge refuses anything else late in a deploy; the parameter refuses it at once."""
    pattern = template()["Parameters"]["NotifyWebhook"]["AllowedPattern"]
    assert bool(re.search(pattern, url)) == is_allowed


def test_its_secrets_are_no_plain_texts() -> None:
    """The URL is not shown by CloudFormation; the token comes from Secrets Manager, and is in no template."""
    assert template()["Parameters"]["NotifyWebhook"]["NoEcho"] is True
    key = _one(KINDS[0])["AuthParameters"]["ApiKeyAuthParameters"]
    assert key["ApiKeyName"] == "X-Batchdrop-Token"
    assert "{{resolve:secretsmanager:${WebhookToken}:SecretString}}" in str(key["ApiKeyValue"])
    token = of_type(everything(), "AWS::SecretsManager::Secret")["WebhookToken"]
    assert "SecretString" not in token
    assert token["KmsKeyId"] == EVERYTHING["KmsKeyArn"]


def test_the_rule_may_post_there_and_nowhere_else() -> None:
    """Its role has one action on one resource; what cannot be posted goes to the queue that an alarm watches."""
    role = of_type(everything(), "AWS::IAM::Role")["WebhookRole"]
    [policy] = role["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "events:InvokeApiDestination"
    assert statement["Resource"] == {"Fn::GetAtt": ["WebhookDestination", "Arn"]}
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    [target] = of_type(everything(), "AWS::Events::Rule")["WebhookRule"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["LostEventsQueue", "Arn"]}}
    assert _one(KINDS[1])["InvocationRateLimitPerSecond"] == 1
