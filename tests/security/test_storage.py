"""Where data lies: reached by TLS only, never public, encrypted, kept and dropped as the template says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchdrop.job.guard_retention import RESULTS_KEPT
from batchdrop.limits import LEDGER_KEPT
from batchdrop.recipe.keys import MAX_REMEMBERED
from tests.expanded import everything, expanded_template, of_type, plain
from tests.project import ROOT
from tools.findings import EVERYTHING

KEY = EVERYTHING["KmsKeyArn"]
BUCKET = "AWS::S3::Bucket"
QUEUE = "AWS::SQS::Queue"


def _one(resolved: dict[str, Any], kind: str) -> dict[str, Any]:
    [properties] = of_type(resolved, kind).values()
    return properties


def _statements(resolved: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for policy in of_type(resolved, kind).values() for one in policy["PolicyDocument"]["Statement"]]


def _denied_without_tls(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        one
        for one in statements
        if one["Effect"] == "Deny"
        and one["Principal"] == "*"
        and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_the_bucket_is_reached_by_new_tls_only() -> None:
    """Plain HTTP and TLS before 1.2 are refused for every caller and call, on the bucket and on objects."""
    assert _one(plain(), "AWS::S3::BucketPolicy")["Bucket"] == {"Ref": "Bucket"}
    both = [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}]
    statements = _statements(plain(), "AWS::S3::BucketPolicy")
    old = [one for one in statements if one["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}]
    assert len(_denied_without_tls(statements)) == len(old) == 1
    for one in statements:
        assert (one["Effect"], one["Principal"], one["Action"], one["Resource"]) == ("Deny", "*", "s3:*", both)


def test_the_bucket_is_never_public() -> None:
    """Neither by an ACL nor by a policy, nor by one that somebody adds later."""
    bucket = _one(plain(), BUCKET)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_queues_are_reached_by_tls_only() -> None:
    """Each queue has its own policy that says so."""
    for name in of_type(plain(), QUEUE):
        [policy] = [
            one for one in of_type(plain(), "AWS::SQS::QueuePolicy").values() if one["Queues"] == [{"Ref": name}]
        ]
        [denied] = _denied_without_tls(policy["PolicyDocument"]["Statement"])
        assert (denied["Action"], denied["Resource"]) == ("sqs:*", {"Fn::GetAtt": [name, "Arn"]})


def test_the_topic_is_reached_by_tls_only() -> None:
    """And published to by this stack's alarms and its rule only."""
    topic = _one(everything(), "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert len(_denied_without_tls(topic)) == 1
    allowed = [one for one in topic if one["Effect"] == "Allow"]
    assert {one["Principal"]["Service"] for one in allowed} == {"events.amazonaws.com", "cloudwatch.amazonaws.com"}
    assert all("aws:SourceArn" in str(one["Condition"]) for one in allowed)


def test_the_pages_key_policy_lets_mails_through() -> None:
    """AWS supports no source conditions between EventBridge and an encrypted topic; CloudWatch's alarms have one."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    [events, alarms] = json.loads(page.partition("```json\n")[2].partition("```")[0])
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert "Condition" not in events
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "<account>"}}


def test_nobody_else_is_let_in() -> None:
    """The policies of bucket, queues and topic allow only AWS's services, each for a resource of this stack."""
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    for one in [one for kind in kinds for one in _statements(everything(), kind) if one["Effect"] == "Allow"]:
        assert set(one["Principal"]) == {"Service"}
        assert "AWS::StackName" in str(one["Condition"]) or "NotifyRule" in str(one["Condition"])


def test_all_is_encrypted_without_a_key_too() -> None:
    """By AWS's own keys."""
    [rule] = _one(plain(), BUCKET)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert all(queue["SqsManagedSseEnabled"] is True for queue in of_type(plain(), QUEUE).values())
    assert _one(plain(), "AWS::DynamoDB::Table")["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert KEY not in str(plain())
    assert "kms:" not in str(plain()["Resources"])


def test_one_key_encrypts_all() -> None:
    """With KmsKeyArn: bucket, ledger, queues, secrets and topic."""
    [rule] = _one(everything(), BUCKET)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
        "BucketKeyEnabled": True,
    }
    table = _one(everything(), "AWS::DynamoDB::Table")
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    secrets = of_type(everything(), "AWS::SecretsManager::Secret")
    assert {name: one["KmsKeyId"] for name, one in secrets.items()} == {"ApiKeySecret": KEY, "WebhookToken": KEY}
    assert _one(everything(), "AWS::SNS::Topic")["KmsMasterKeyId"] == KEY
    for queue in of_type(everything(), QUEUE).values():
        assert (queue["KmsMasterKeyId"], queue.get("SqsManagedSseEnabled")) == (KEY, None)


def _rules(resolved: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rules = _one(resolved, BUCKET)["LifecycleConfiguration"]["Rules"]
    assert {one["Status"] for one in rules} == {"Enabled"}
    return {one["Id"]: one for one in rules}


def test_what_is_overwritten_or_deleted_comes_back() -> None:
    """For 30 days, and then it is gone."""
    assert _one(plain(), BUCKET)["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = _rules(plain())
    assert rules["drop-old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rules["drop-marks-of-deleted-objects"]["ExpiredObjectDeleteMarker"] is True


def test_only_a_jobs_own_files_are_dropped() -> None:
    """jobs/ after 35 days; answers/ after the longest `remember`; results/ never, unless told.

    inbox/, recipes/ and files/ are the user's own.
    """
    expiring = {one["Prefix"]: one["ExpirationInDays"] for one in _rules(plain()).values() if "ExpirationInDays" in one}
    kept = MAX_REMEMBERED.days + 7  # an open job may still need what it found
    assert expiring == {"jobs/": 35, "answers/": kept}
    told = {
        one["Prefix"]: one["ExpirationInDays"] for one in _rules(everything()).values() if "ExpirationInDays" in one
    }
    assert told == {"jobs/": 35, "answers/": kept, "results/": EVERYTHING["ResultsDays"]}


def test_a_jobs_files_outlive_its_answers() -> None:
    """As long as the API keeps results, a job can be resumed: its files are there, and the ledger knows of them."""
    parameter = expanded_template()["Parameters"]["JobFilesDays"]
    assert parameter["MinValue"] > RESULTS_KEPT.days
    assert parameter["Default"] >= LEDGER_KEPT.days


@pytest.mark.parametrize("resolved", [plain, everything], ids=["plain", "everything"])
def test_the_ledger_can_be_put_back(resolved: Any) -> None:
    """To any second of the last 35 days."""
    table = _one(resolved(), "AWS::DynamoDB::Table")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_no_function_can_be_called_from_the_internet() -> None:
    """No URL, no API, no network of its own."""
    kinds = {one["Type"] for one in everything()["Resources"].values()}
    assert not {kind for kind in kinds if "Url" in kind or "ApiGateway" in kind or "EC2" in kind}
