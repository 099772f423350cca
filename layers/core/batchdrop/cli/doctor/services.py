"""Check the AWS services below a stack: quotas, notifications, lost messages, alarms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchdrop.cli.deployment import Deployment
from batchdrop.cli.doctor.findings import Finding, ok, problem, unknown, warning
from batchdrop.cli.doctor.stack import parameters
from batchdrop.settings import LIVE_CONCURRENCY, SHARD_CONCURRENCY

SPARE_FUNCTIONS = 10  # beside shards and workers: splits, closings, other applications in the account
OPEN_EXECUTIONS = "open executions"  # part of the name of Step Functions' quota
RUNBOOK = "docs/runbook.md"


def lambda_quota(deployment: Deployment) -> Iterator[Finding]:
    """Compare the Lambda concurrency quota with what the stack's parameters allow."""
    limit = deployment.client("lambda").get_account_settings()["AccountLimit"]
    free = int(limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"]))
    wanted = _wanted_functions(deployment)
    says = f"{free:,} functions may run at a time; this stack may want {wanted:,}"
    if free >= wanted:
        yield ok("Lambda", says)
        return
    fix = (
        "raise 'Concurrent executions' in Service Quotas (free), or deploy with lower LiveConcurrency, ShardConcurrency"
    )
    yield warning("Lambda", f"{says}: jobs will be throttled, and slower", fix)


def _wanted_functions(deployment: Deployment) -> int:
    known = parameters(deployment)
    return int(known.get("LiveConcurrency", LIVE_CONCURRENCY)) + _open_shards(deployment) + SPARE_FUNCTIONS


def _open_shards(deployment: Deployment) -> int:
    return int(parameters(deployment).get("ShardConcurrency", SHARD_CONCURRENCY))


def step_functions_quota(deployment: Deployment) -> Iterator[Finding]:
    """Compare the quota of open executions with what one job opens."""
    quotas: list[Any] = []
    for page in deployment.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="states"):
        quotas += page["Quotas"]
    allowed = next((one["Value"] for one in quotas if OPEN_EXECUTIONS in one["QuotaName"].lower()), None)
    shards = _open_shards(deployment)
    if allowed is None:
        yield ok("Step Functions", "no quota of open executions is listed; AWS's default is 1,000,000")
    elif allowed > shards * 10:
        yield ok("Step Functions", f"{allowed:,.0f} executions may be open; a job opens at most {shards + 1}")
    else:
        fix = "raise 'Open executions' of Step Functions in Service Quotas"
        yield warning("Step Functions", f"only {allowed:,.0f} executions may be open; a job opens {shards + 1}", fix)


def bucket_notification(deployment: Deployment) -> Iterator[Finding]:
    """Check that an upload into the inbox calls a function."""
    found = deployment.s3.get_bucket_notification_configuration(Bucket=deployment.bucket_name)
    if found.get("LambdaFunctionConfigurations"):
        yield ok("notification", f"uploads to s3://{deployment.bucket_name}/inbox/ start jobs")
    else:
        yield problem(
            "notification", "uploads start no jobs: the bucket sends no notifications", "`make deploy` sets it up"
        )


def bucket_lifecycle(deployment: Deployment) -> Iterator[Finding]:
    """Check that incomplete uploads are deleted; they cost money and are invisible."""
    from botocore.exceptions import ClientError

    try:
        rules: list[Any] = deployment.s3.get_bucket_lifecycle_configuration(Bucket=deployment.bucket_name)["Rules"]
    except ClientError as error:
        if "NoSuchLifecycle" not in error.response.get("Error", {}).get("Code", ""):
            raise
        rules = []
    if any("AbortIncompleteMultipartUpload" in rule and rule["Status"] == "Enabled" for rule in rules):
        yield ok("lifecycle", f"{len(rules)} rules; incomplete uploads are deleted")
    elif deployment.is_embedded:
        yield unknown("lifecycle", "the embedded stack has no lifecycle rules")
    else:
        yield warning("lifecycle", "incomplete uploads are kept, and they cost money", "`make deploy` sets the rule")


def lost_messages(deployment: Deployment) -> Iterator[Finding]:
    """Count the messages in the dead-letter queues."""
    resources = deployment.client("cloudformation").describe_stack_resources(StackName=deployment.stack)
    sqs = deployment.client("sqs")
    queues = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources["StackResources"]
        if one["ResourceType"] == "AWS::SQS::Queue" and one["LogicalResourceId"].startswith("Lost")
    }
    for name, url in sorted(queues.items()):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        lost = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
        anchor = "lost-slices" if "Slices" in name else "lost-events"
        if lost:
            yield problem("lost messages", f"{lost:,} in {name}", f"{RUNBOOK}#{anchor} says what to do with them")
        else:
            yield ok("lost messages", f"none in {name}")


def alarms(deployment: Deployment) -> Iterator[Finding]:
    """List the stack's alarms that are on."""
    pages = deployment.client("cloudwatch").get_paginator("describe_alarms")
    found: list[Any] = []
    for page in pages.paginate(AlarmNamePrefix=f"{deployment.stack}-"):
        found += page.get("MetricAlarms", [])
    for one in (one for one in found if one["StateValue"] == "ALARM"):
        yield problem("alarm", f"{one['AlarmName']}: {one.get('AlarmDescription', '')}", f"see {RUNBOOK}")
    if not found:
        yield warning("alarms", "the stack has none", "`make deploy` sets them up")
    elif all(one["StateValue"] != "ALARM" for one in found):
        yield ok("alarms", f"{len(found)}, none of them on")
