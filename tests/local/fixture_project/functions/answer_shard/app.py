"""Answers a shard the way its `do` says."""

import importlib
import os
import sys
import time
from typing import Any

import boto3

# The archive's own `batchdrop`, not the installed one, which type checkers would take it for.
errors = importlib.import_module("batchdrop.errors")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`ok`, `busy` (raises ShardBusyError), `broken` (raises ShardBrokenError) or `sleep:<seconds>`."""
    action = event["shard"]["do"]
    sys.stdout.write(f"shard {event['index']} {action}\n")
    if action == "busy":
        raise errors.ShardBusyError(f"shard {event['index']}")
    if action == "broken":
        raise errors.ShardBrokenError(f"shard {event['index']}")
    if action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    seen = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "ANTHROPIC_", "GREET"))}
    body = "\n".join(f"{name}={value}" for name, value in sorted(seen.items()))
    boto3.client("s3").put_object(
        Bucket=event["bucket"], Key=f"env/{event['job']}-{event['index']}", Body=body.encode()
    )
    return {"wait": 10}
