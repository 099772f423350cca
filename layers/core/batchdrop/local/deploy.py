"""Deploy a package to ministack with CloudFormation, as `sam deploy` would to AWS."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchdrop.local.aws_clients import AwsClients
from batchdrop.local.child_environment import ACCOUNT, REGION
from batchdrop.local.code_archive import content_key
from batchdrop.local.package import ARTIFACTS_BUCKET, Package

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

BUCKET = "AWS::S3::Bucket"
_POLL_SECONDS = 0.05
_DEPLOY_SECONDS = 120.0


class DeployError(Exception):
    """CloudFormation did not create the stack; the message lists the resources that failed, and why."""


def deploy(package: Package, clients: AwsClients, *, stack_name: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Upload the artifacts, create the stack and wait for it. Return its outputs by name.

    The template goes through the bucket, as in `sam deploy`: the call itself takes only 51,200 bytes. A bucket that an
    earlier stack left is imported first, because CloudFormation refuses to create one that exists.
    """
    body = json.dumps(package.template).encode()
    template_key = content_key(body, ".template.json")
    _upload({**package.artifacts, template_key: body}, clients)
    cloudformation = clients.cloudformation()
    try:
        is_imported = _import_buckets(package.template, clients, stack_name)
        put = cloudformation.update_stack if is_imported else cloudformation.create_stack
        put(
            StackName=stack_name,
            TemplateURL=f"{clients.endpoint_url}/{ARTIFACTS_BUCKET}/{template_key}",
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except cloudformation.exceptions.ClientError as error:
        raise DeployError(str(error)) from error
    stack = _ended(cloudformation, stack_name)
    if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise DeployError(f"{stack['StackStatus']}: {_reasons(cloudformation, stack)}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _import_buckets(template: Mapping[str, Any], clients: AwsClients, stack_name: str) -> bool:
    """Make a stack of the template's buckets that exist already. Return whether there are any."""
    known = {bucket["Name"] for bucket in clients.s3().list_buckets()["Buckets"]}
    names = {
        logical_id: _bucket_name(resource["Properties"].get("BucketName"), stack_name)
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == BUCKET and resource.get("Properties")
    }
    kept = {logical_id: name for logical_id, name in names.items() if name in known}
    if not kept:
        return False
    resources = {
        logical_id: {"Type": BUCKET, "DeletionPolicy": "Retain", "Properties": {"BucketName": name}}
        for logical_id, name in kept.items()
    }
    cloudformation = clients.cloudformation()
    change = cloudformation.create_change_set(
        StackName=stack_name,
        ChangeSetName="kept-buckets",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}),
        ResourcesToImport=[
            {"ResourceType": BUCKET, "LogicalResourceId": logical_id, "ResourceIdentifier": {"BucketName": name}}
            for logical_id, name in kept.items()
        ],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        ChangeSetName=change["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    cloudformation.execute_change_set(ChangeSetName=change["Id"])
    stack = _ended(cloudformation, stack_name)
    if stack["StackStatus"] != "IMPORT_COMPLETE":
        raise DeployError(f"{stack['StackStatus']}: {_reasons(cloudformation, stack)}")
    return True


def _bucket_name(written: Any, stack_name: str) -> str:
    """Return the name of a bucket as the template writes it, with its pseudo parameters filled in."""
    name = written.get("Fn::Sub", "") if isinstance(written, dict) else written
    for pseudo, value in (("StackName", stack_name), ("AccountId", ACCOUNT), ("Region", REGION)):
        name = str(name).replace(f"${{AWS::{pseudo}}}", value)
    return str(name)


def function_names(clients: AwsClients, stack_name: str) -> dict[str, str]:
    """Return each function's name in the template, by its real name."""
    resources = clients.cloudformation().describe_stack_resources(StackName=stack_name)["StackResources"]
    return {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _upload(artifacts: Mapping[str, bytes], clients: AwsClients) -> None:
    s3 = clients.s3()
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
    for key, content in artifacts.items():
        s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=content)


def _ended(cloudformation: "CloudFormationClient", stack_name: str) -> "StackTypeDef":
    deadline = time.monotonic() + _DEPLOY_SECONDS
    while True:
        stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        if time.monotonic() > deadline:
            raise DeployError(f"{stack_name} is still {stack['StackStatus']} after {_DEPLOY_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def _reasons(cloudformation: "CloudFormationClient", stack: "StackTypeDef") -> str:
    events = cloudformation.describe_stack_events(StackName=stack["StackName"])["StackEvents"]
    failed = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return "; ".join(failed) or stack.get("StackStatusReason", "no reason given")
