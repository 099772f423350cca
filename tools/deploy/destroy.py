"""Delete a deployed stack: `python -m tools.deploy.destroy [--stack NAME] [--region R] [--with-data] [--yes]`.

The bucket and the ledger are kept unless `--with-data` is given, because they hold paid results. It refuses while jobs
run: their Message Batches are paid, and their answers would never be collected. A stack that never finished goes too.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import boto3
import botocore.exceptions

from tools.deploy import saved

GONE = "DELETE_COMPLETE"


class CannotDestroyError(Exception):
    """The stack was not deleted; the message says why, and what to do."""


def destroy(session: Any, stack: str, *, with_data: bool) -> str:
    """Delete the stack, and with `with_data` its bucket and ledger; return the message for the user.

    Raises CannotDestroyError.
    """
    clouds = session.client("cloudformation")
    resources = _resources(clouds, stack)
    _refuse_if_jobs_run(session, resources)
    clouds.delete_stack(StackName=stack)
    clouds.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 5})
    bucket, table = _left(session, resources)
    kept = " and ".join([f"bucket {bucket}"] * bool(bucket) + [f"table {table}"] * bool(table))
    if not kept:
        return f"stack {stack} is deleted, and nothing of it is left"
    if not with_data:
        return (
            f"stack {stack} is deleted. Kept: {kept}. As long as that bucket exists, a "
            "new stack needs another name; `aws s3 rb --force` and `aws dynamodb delete-table` remove them"
        )
    if bucket:
        _delete_bucket(session, bucket)
    if table:
        session.client("dynamodb").delete_table(TableName=table)
    return f"stack {stack} is deleted, and with it {kept}"


def _resources(clouds: Any, stack: str) -> dict[str, str]:
    """Return the names of what the stack has, by logical id; a stack that never finished has only some."""
    try:
        clouds.describe_stacks(StackName=stack)
        found = clouds.describe_stack_resources(StackName=stack)["StackResources"]
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        message = f"no stack '{stack}' ({error}). Check --stack, --region and your AWS credentials"
        raise CannotDestroyError(message) from error
    there = [one for one in found if one["ResourceStatus"] != GONE and one.get("PhysicalResourceId")]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in there}


def _refuse_if_jobs_run(session: Any, resources: dict[str, str]) -> None:
    if "JobStateMachine" not in resources:
        return
    executions = session.client("stepfunctions").list_executions(
        stateMachineArn=resources["JobStateMachine"], statusFilter="RUNNING", maxResults=10
    )["executions"]
    if executions:
        names = ", ".join(one["name"] for one in executions)
        message = (
            f"jobs are running: {names}. Their answers are paid, and would be lost. Wait until they end, or "
            "cancel each with `batchdrop cancel JOB`, and wait until its answers are written"
        )
        raise CannotDestroyError(message)


def _left(session: Any, resources: dict[str, str]) -> tuple[str, str]:
    """Return the names of the bucket and the table that outlived the stack; empty for one that did not."""
    bucket, table = resources.get("Bucket", ""), resources.get("LedgerTable", "")
    buckets = {one["Name"] for one in session.client("s3").list_buckets()["Buckets"]}
    tables = {
        name
        for page in session.client("dynamodb").get_paginator("list_tables").paginate()
        for name in page["TableNames"]
    }
    return bucket if bucket in buckets else "", table if table in tables else ""


def _delete_bucket(session: Any, name: str) -> None:
    bucket = session.resource("s3").Bucket(name)
    bucket.object_versions.delete()  # without versioning, these are the objects
    bucket.delete()


def main() -> int:
    """Confirm, delete, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.deploy.destroy", description="Delete a deployed stack.")
    parser.add_argument("--stack", default=saved.stack_name())
    parser.add_argument("--region", default=saved.region())
    parser.add_argument(
        "--with-data", action="store_true", help="delete the bucket, with all files, and the ledger, too"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    what = "AND ITS BUCKET, WITH ALL FILES," if options.with_data else "(not its bucket)"
    if not options.yes and input(f"Delete stack {options.stack} {what} for good? Type its name: ") != options.stack:
        print("nothing was deleted")
        return 1
    try:
        print(destroy(boto3.session.Session(region_name=options.region), options.stack, with_data=options.with_data))
    except CannotDestroyError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    saved.CONFIG.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
