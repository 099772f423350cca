"""Print the next steps after a deploy: `python -m tools.after_deploy`."""

from __future__ import annotations

import sys
from typing import Any

import boto3

from tools import deployed


def next_steps(session: Any, stack: str) -> str:
    """Return the next steps: the key, once, and the first file."""
    [found] = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
    secret, bucket = outputs["ApiKeySecretArn"], outputs["BucketName"]
    return "\n".join(
        (
            f"Stack {stack} is deployed. Next, store the key (once), and upload a recipe and a file:",
            f"  aws secretsmanager put-secret-value --secret-id {secret} --secret-string <your Anthropic API key>",
            f"  aws s3 cp examples/recipes/sentiment.yaml s3://{bucket}/recipes/",
            f"  aws s3 cp examples/reviews.csv s3://{bucket}/inbox/sentiment/",
        )
    )


def main() -> int:
    """Print the next steps."""
    print(next_steps(boto3.session.Session(region_name=deployed.region()), deployed.stack_name()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
