"""Delete a deployed stack: `python -m tools.destroy [--stack NAME] [--region R] [--with-data] [--yes]`.

The bucket and the ledger are kept unless `--with-data` is given, because they hold paid results. It refuses while jobs
run: their Message Batches are paid, and their answers would never be collected.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import boto3
import botocore.exceptions

from tools import deployed


class CannotDestroyError(Exception):
    """The stack was not deleted; the message says why, and what to do."""


def destroy(session: Any, stack: str, *, with_data: bool) -> str:
    """Delete the stack, and with `with_data` its bucket and ledger; return the message for the user.

    Raises CannotDestroyError.
    """
    clouds = session.client("cloudformation")
    outputs = _outputs(clouds, stack)
    _refuse_if_jobs_run(session, outputs)
    clouds.delete_stack(StackName=stack)
    clouds.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 5})
    bucket, table = outputs["BucketName"], outputs["LedgerTableName"]
    if not with_data:
        return (
            f"stack {stack} is deleted. Kept: bucket {bucket} and table {table}. As long as that bucket exists, a "
            "new stack needs another name; `aws s3 rb --force` and `aws dynamodb delete-table` remove them"
        )
    _delete_bucket(session, bucket)
    session.client("dynamodb").delete_table(TableName=table)
    return f"stack {stack} is deleted, and with it bucket {bucket} and table {table}"


def _outputs(clouds: Any, stack: str) -> dict[str, str]:
    try:
        [found] = clouds.describe_stacks(StackName=stack)["Stacks"]
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        message = f"no stack '{stack}' ({error}). Check --stack, --region and your AWS credentials"
        raise CannotDestroyError(message) from error
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _refuse_if_jobs_run(session: Any, outputs: dict[str, str]) -> None:
    executions = session.client("stepfunctions").list_executions(
        stateMachineArn=outputs["JobStateMachineArn"], statusFilter="RUNNING", maxResults=10
    )["executions"]
    if executions:
        names = ", ".join(one["name"] for one in executions)
        message = (
            f"jobs are running: {names}. Their answers are paid, and would be lost. Wait until they end, or "
            "cancel each with `batchdrop cancel JOB`, and wait until its answers are written"
        )
        raise CannotDestroyError(message)


def _delete_bucket(session: Any, name: str) -> None:
    bucket = session.resource("s3").Bucket(name)
    bucket.object_versions.delete()  # without versioning, these are the objects
    bucket.delete()


def main() -> int:
    """Confirm, delete, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.destroy", description="Delete a deployed stack.")
    parser.add_argument("--stack", default=deployed.stack_name())
    parser.add_argument("--region", default=deployed.region())
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
    deployed.CONFIG.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
