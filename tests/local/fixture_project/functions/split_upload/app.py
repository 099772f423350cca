"""Starts a job for an uploaded object; `crash` in its key makes it fail."""

import json
import os
import urllib.parse
from typing import Any

import boto3


def handler(event: dict[str, Any], _context: object) -> str:
    """Write the shards file and start the state machine."""
    entity = event["Records"][0]["s3"]
    key = urllib.parse.unquote_plus(entity["object"]["key"])
    if "crash" in key:
        raise RuntimeError(f"asked to crash by {key}")
    bucket, name = entity["bucket"]["name"], key.rsplit("/", 1)[-1].split(".")[0]
    s3 = boto3.client("s3")
    shards = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    s3.put_object(Bucket=bucket, Key=f"jobs/{name}/shards.json", Body=json.dumps(shards).encode())
    states = boto3.client("stepfunctions")
    message = json.dumps({"bucket": bucket, "shards": f"jobs/{name}/shards.json"})
    states.start_execution(stateMachineArn=os.environ["STATE_MACHINE"], name=name, input=message)
    return name
